"""Keep the pairs whose lengths and tokens the settings allow."""

import logging
from pathlib import Path

from pipeline_lib.cli import run
from pipeline_lib.config.filtering import Filtering
from pipeline_lib.storage import write_json
from pipeline_lib.text.filtering import filter_pairs, known_tokens


def main(
    train: Path,
    validation: Path,
    test: Path,
    tokens: Path,
    vectors: Path,
    settings: Filtering,
    out_train: Path,
    out_validation: Path,
    out_test: Path,
    report: Path,
) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    known = known_tokens(tokens, vectors, settings)
    counts = {
        "train": filter_pairs(train, known, settings, out_train),
        "validation": filter_pairs(validation, known, settings, out_validation),
        "test": filter_pairs(test, known, settings, out_test),
    }
    write_json(report, counts)


if __name__ == "__main__":
    run(main)
