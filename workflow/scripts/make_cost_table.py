"""Make the table of runtime and memory as .csv, .md and .tex."""

from pathlib import Path

from pipeline_lib.files.formats import write_text
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.cells import Layout
from pipeline_lib.tables.costs import Stages, latex, long_form, markdown, read_costs
from pipeline_lib.tables.files import write_csv


def main(layout: Layout, stages: Stages, csv: Path, md: Path, tex: Path) -> None:
    rows = read_costs(layout, stages)
    write_csv(csv, long_form(rows))
    write_text(md, markdown(rows, layout))
    write_text(tex, latex(rows, layout))


if __name__ == "__main__":
    run(main)
