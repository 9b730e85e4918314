"""Make a table of runtime and memory as .csv, .md, .tex and .json."""

from pathlib import Path

from pipeline_lib.config.layout import Layout, Stages
from pipeline_lib.config.papers import CostTable
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.costs import make
from pipeline_lib.tables.files import write_table


def main(
    name: str, spec: CostTable, layout: Layout, stages: Stages, csv: Path, md: Path, tex: Path, json: Path
) -> None:
    write_table(make(name, spec, layout, stages), csv, md, tex, json)


if __name__ == "__main__":
    run(main)
