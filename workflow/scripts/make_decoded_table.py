"""Make a table of decoded texts as .csv, .md, .tex and .json."""

from pathlib import Path

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import DecodedTable
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.decoded import make
from pipeline_lib.tables.files import write_table


def main(
    name: str,
    spec: DecodedTable,
    layout: Layout,
    analysis: list[Path],
    others: list[Layout],
    beside: list[Path],
    csv: Path,
    md: Path,
    tex: Path,
    json: Path,
) -> None:
    write_table(make(name, spec, layout, analysis, others[0] if others else None, beside), csv, md, tex, json)


if __name__ == "__main__":
    run(main)
