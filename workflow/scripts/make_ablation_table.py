"""Make the table of ablations as .csv, .md and .tex."""

from pathlib import Path

from pipeline_lib.config.significance import Significance
from pipeline_lib.files.formats import write_text
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.ablations import ablation_table, long_form
from pipeline_lib.tables.cells import Layout
from pipeline_lib.tables.files import write_csv
from pipeline_lib.tables.text import latex, markdown


def main(
    scores: list[Path],
    items: list[Path],
    layout: Layout,
    significance: Significance,
    digits: int,
    csv: Path,
    md: Path,
    tex: Path,
) -> None:
    table = ablation_table(scores, items, layout, significance)
    write_csv(csv, long_form(table))
    write_text(md, markdown(table, digits))
    write_text(tex, latex(table, digits))


if __name__ == "__main__":
    run(main)
