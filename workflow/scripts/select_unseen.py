"""Keep the held-out examples whose texts no training example has."""

from pathlib import Path

from pipeline_lib.examples.overlap import select_unseen
from pipeline_lib.stage.cli import run


def main(examples: Path, train: Path, part: str, out: Path) -> None:
    select_unseen(examples, train, part, out)


if __name__ == "__main__":
    run(main)
