"""Compute an analysis of one trained system."""

import json
from pathlib import Path

from pipeline_lib.analyses.data import Data, Judge
from pipeline_lib.compute.device import choose_device, keep_freed_memory
from pipeline_lib.config.corpora import Source
from pipeline_lib.config.decoding import Decoding
from pipeline_lib.config.training import Training
from pipeline_lib.files.formats import read_json, write_parquet
from pipeline_lib.models import saved
from pipeline_lib.stage.cli import run
from pipeline_lib.stage.kinds import load
from pipeline_lib.stage.options import ANALYSES, options_of
from pipeline_lib.text.units import read_units


def main(
    kind: str,
    options: str,
    model: Path,
    summary: Path,
    vocabulary: Path,
    encoded: list[Path],
    examples: list[Path],
    reads: dict[str, Path],
    continued: list[Path],
    judge: list[Path],
    decoding: list[Decoding],
    source: Source,
    training: Training,
    seed: int,
    out: Path,
) -> None:
    keep_freed_memory()
    system = saved.load(model, read_units(vocabulary)).system.to(choose_device(training.device))
    data = Data(
        vocabulary,
        {path.stem: path for path in encoded},
        {path.stem: path for path in examples},
        reads,
        continued[0] if continued else None,
        training,
        read_json(summary)["steps"],
        source.grammar,
        read_judge(judge, training) if judge else None,
        decoding[0] if decoding else None,
    )
    checked = options_of(ANALYSES, kind, json.loads(options), "--options")
    table = load(ANALYSES, kind, "analyse").analyse(system, data, checked, seed)
    write_parquet(out, table, table.schema)


def read_judge(files: list[Path], training: Training) -> Judge:
    """Load the further system that the analysis reads, from its model and its vocabulary."""
    model, vocabulary = files
    units = read_units(vocabulary)
    return Judge(saved.load(model, units).system.to(choose_device(training.device)), units)


if __name__ == "__main__":
    run(main)
