"""Make the table of runtime and memory as .csv, .md, .tex and .json."""

from pathlib import Path

from pipeline_lib.config.layout import Layout, Stages
from pipeline_lib.config.papers import CostTable
from pipeline_lib.files.formats import write_json, write_text
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.costs import latex, long_form, markdown, read_costs
from pipeline_lib.tables.files import write_csv


def main(
    name: str, spec: CostTable, layout: Layout, stages: Stages, csv: Path, md: Path, tex: Path, json: Path
) -> None:
    rows = read_costs(layout, stages)
    write_csv(csv, long_form(rows))
    write_text(md, markdown(rows, layout))
    write_text(tex, latex(rows, layout))
    write_json(json, {"name": name, "title": spec.title, "caption": spec.caption})


if __name__ == "__main__":
    run(main)
