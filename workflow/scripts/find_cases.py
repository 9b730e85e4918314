"""Find training contexts with contradictory responses, and their nearest contexts in the other splits."""

from pathlib import Path

from pipeline_lib.cases.contradictions import find_cases
from pipeline_lib.cli import run
from pipeline_lib.config.cases import Cases
from pipeline_lib.schema import CASES
from pipeline_lib.storage import write_parquet


def main(train: Path, validation: Path, test: Path, vectors: Path, settings: Cases, out: Path) -> None:
    pairs = {"train": train, "validation": validation, "test": test}
    write_parquet(out, find_cases(pairs, vectors, settings), CASES)


if __name__ == "__main__":
    run(main)
