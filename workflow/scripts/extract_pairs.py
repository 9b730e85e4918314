"""Turn dialogues into tokenised single-turn pairs, one file per split, and count their tokens."""

import logging
from pathlib import Path

from pipeline_lib.cli import run
from pipeline_lib.corpora.single_turn import extract_pairs


def main(dialogues: Path, train: Path, validation: Path, test: Path, tokens: Path) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    extract_pairs(dialogues, {"train": train, "validation": validation, "test": test}, tokens)


if __name__ == "__main__":
    run(main)
