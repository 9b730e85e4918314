"""Turn dialogues into tokenised examples, one file per split, and count them and their tokens."""

import logging
from pathlib import Path

from pydantic import TypeAdapter

from pipeline_lib.config.corpora import Division, Window
from pipeline_lib.examples.windows import extract_examples
from pipeline_lib.files.formats import write_json
from pipeline_lib.stage.cli import run
from pipeline_lib.text.tokenisers import tokeniser as find


def main(
    dialogues: Path,
    window: Window,
    tokeniser: str,
    division: str,
    train: Path,
    validation: Path,
    test: Path,
    tokens: Path,
    report: Path,
) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    outputs = {"train": train, "validation": validation, "test": test}
    divided = TypeAdapter(Division | None).validate_json(division)
    write_json(report, extract_examples(dialogues, window, find(tokeniser).tokenise_array, outputs, tokens, divided))


if __name__ == "__main__":
    run(main)
