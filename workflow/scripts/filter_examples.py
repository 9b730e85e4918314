"""Keep the examples whose lengths and tokens the settings allow."""

import logging
from pathlib import Path

from pipeline_lib.config.filtering import Filtering
from pipeline_lib.examples.filtering import filter_splits, known_tokens
from pipeline_lib.examples.lost import check_lost, notes_of
from pipeline_lib.files.formats import read_json, write_json
from pipeline_lib.stage.cli import run
from pipeline_lib.stage.screen import warn


def main(
    train: Path,
    validation: Path,
    test: Path,
    tokens: Path,
    windows: Path,
    vectors: list[Path],
    settings: Filtering,
    out_train: Path,
    out_validation: Path,
    out_test: Path,
    report: Path,
) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    known = known_tokens(tokens, vectors[0] if vectors else None, settings)
    kept = filter_splits(
        {"train": train, "validation": validation, "test": test},
        known,
        settings,
        {"train": out_train, "validation": out_validation, "test": out_test},
    )
    before = read_json(windows)
    counts = {split: before[split] | own for split, own in kept.items()}
    check_lost(counts, settings, f"corpus {report.parent.name}")
    for note in notes_of(counts):
        warn(f"corpus {report.parent.name}: {note}")
    write_json(report, counts)


if __name__ == "__main__":
    run(main)
