"""Join all score files into one table, complete or not at all."""

from pathlib import Path

from pipeline_lib.files.formats import write_parquet
from pipeline_lib.metrics.collection import collect
from pipeline_lib.schemas.scores import SCORES
from pipeline_lib.stage.cli import run


def main(files: list[Path], expect: list[str], out: Path) -> None:
    write_parquet(out, collect(files, expect), SCORES)


if __name__ == "__main__":
    run(main)
