"""Make a table of negatives, as .csv, .md, .tex and .json."""

from pathlib import Path

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import NegativeTable
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.files import write_table
from pipeline_lib.tables.negatives import make


def main(
    name: str,
    spec: NegativeTable,
    layout: Layout,
    negatives: list[Path],
    examples: list[Path],
    csv: Path,
    md: Path,
    tex: Path,
    json: Path,
) -> None:
    write_table(make(name, spec, layout, negatives, examples), csv, md, tex, json)


if __name__ == "__main__":
    run(main)
