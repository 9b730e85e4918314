"""Turn dialogues into tokenised examples, one file per split, and count them and their tokens."""

import logging
from pathlib import Path

from pipeline_lib.config.corpora import Division, Window
from pipeline_lib.examples.windows import extract_examples
from pipeline_lib.files.formats import write_json
from pipeline_lib.stage.cli import run
from pipeline_lib.text.tokenisers import tokeniser as find


def main(
    dialogues: Path,
    window: Window,
    tokeniser: str,
    out_train: Path,
    out_validation: Path,
    out_test: Path,
    tokens: Path,
    report: Path,
    division: Division | None = None,
    of_pairs: int = 0,
) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    outputs = {"train": out_train, "validation": out_validation, "test": out_test}
    tokenise = find(tokeniser).tokenise_array
    write_json(report, extract_examples(dialogues, window, tokenise, outputs, tokens, division, bool(of_pairs)))


if __name__ == "__main__":
    run(main)
