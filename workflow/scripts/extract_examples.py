"""Turn dialogues into tokenised single-turn examples, one file per split, and count their tokens."""

import logging
from pathlib import Path

from pipeline_lib.examples.windows import extract_examples
from pipeline_lib.stage.cli import run


def main(dialogues: Path, train: Path, validation: Path, test: Path, tokens: Path) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    extract_examples(dialogues, {"train": train, "validation": validation, "test": test}, tokens)


if __name__ == "__main__":
    run(main)
