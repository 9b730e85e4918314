"""Make a table of texts as .csv, .md, .tex and .json."""

from pathlib import Path

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import TextTable
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.files import write_table
from pipeline_lib.tables.texts import make


def main(
    name: str,
    spec: TextTable,
    layout: Layout,
    analysis: list[Path],
    per_item: list[Path],
    csv: Path,
    md: Path,
    tex: Path,
    json: Path,
) -> None:
    write_table(make(name, spec, layout, analysis, per_item), csv, md, tex, json)


if __name__ == "__main__":
    run(main)
