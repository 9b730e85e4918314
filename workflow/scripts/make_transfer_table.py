"""Make a table of contexts that systems answer as several users as .csv, .md, .tex and .json."""

from pathlib import Path

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import TransferTable
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.files import write_table
from pipeline_lib.tables.transfer import make


def main(
    name: str, spec: TransferTable, layout: Layout, transfer: list[Path], csv: Path, md: Path, tex: Path, json: Path
) -> None:
    write_table(make(name, spec, layout, transfer), csv, md, tex, json)


if __name__ == "__main__":
    run(main)
