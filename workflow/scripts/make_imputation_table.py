"""Make a table of imputed endings as .csv, .md, .tex and .json."""

from pathlib import Path

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import ImputationTable
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.files import write_table
from pipeline_lib.tables.imputations import make


def main(
    name: str,
    spec: ImputationTable,
    layout: Layout,
    imputations: list[Path],
    csv: Path,
    md: Path,
    tex: Path,
    json: Path,
) -> None:
    write_table(make(name, spec, layout, imputations), csv, md, tex, json)


if __name__ == "__main__":
    run(main)
