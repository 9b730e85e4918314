"""Make a table of measured values as .csv, .md, .tex and .json."""

from pathlib import Path

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import MeasureTable
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.files import write_table
from pipeline_lib.tables.measures import make
from pipeline_lib.tables.published import Published


def main(
    name: str,
    spec: MeasureTable,
    layout: Layout,
    measures: list[Path],
    published: Path,
    csv: Path,
    md: Path,
    tex: Path,
    json: Path,
) -> None:
    write_table(make(name, spec, layout, measures, Published.read(published)), csv, md, tex, json)


if __name__ == "__main__":
    run(main)
