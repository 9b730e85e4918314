"""Make a table of scores as .csv, .md, .tex and .json."""

from pathlib import Path

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import ScoreTable
from pipeline_lib.config.significance import Significance
from pipeline_lib.files.formats import write_json, write_text
from pipeline_lib.schemas.scores import SCORES
from pipeline_lib.schemas.significance import SIGNIFICANCE
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.ablations import ablation_table
from pipeline_lib.tables.ablations import long_form as ablation_rows
from pipeline_lib.tables.files import write_csv, write_long_form
from pipeline_lib.tables.scores import join, system_table
from pipeline_lib.tables.text import latex, markdown


def main(
    name: str,
    spec: ScoreTable,
    layout: Layout,
    scores: list[Path],
    significance: list[Path],
    items: list[Path],
    test: Significance,
    published: Path,
    csv: Path,
    md: Path,
    tex: Path,
    json: Path,
) -> None:
    if spec.beside == "first row":
        table = ablation_table(scores, items, layout, test)
        write_csv(csv, ablation_rows(table))
    else:
        of_split = {"validation": "table2", "test": "table3"}[spec.splits[0]]
        tested = join(significance, SIGNIFICANCE)
        table = system_table(of_split, join(scores, SCORES), tested, layout, spec.columns, spec.extra)
        write_long_form(csv, table)
    write_text(md, markdown(table, spec.digits))
    write_text(tex, latex(table, spec.digits))
    write_json(json, {"name": name, "title": spec.title, "caption": spec.caption})


if __name__ == "__main__":
    run(main)
