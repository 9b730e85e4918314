"""Find training contexts with contradictory responses, and their nearest contexts in the other splits."""

from pathlib import Path

from pipeline_lib.analyses.contradictions import Options, find_cases
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.cases import CASES
from pipeline_lib.stage.cli import run
from pipeline_lib.text.tokenisers import tokeniser as find


def main(train: Path, validation: Path, test: Path, vectors: Path, options: Options, tokeniser: str, out: Path) -> None:
    examples = {"train": train, "validation": validation, "test": test}
    write_parquet(
        out, find_cases(examples, vectors, options, find(tokeniser).LANGUAGE), CASES, {"asked": str(options.contexts)}
    )


if __name__ == "__main__":
    run(main)
