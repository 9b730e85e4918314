"""Make the table of ablations as .csv, .md and .tex."""

from pathlib import Path

from pipeline_lib.ablations import ablation_table, long_form
from pipeline_lib.cli import run
from pipeline_lib.config.tables import Significance
from pipeline_lib.storage import write_text
from pipeline_lib.table_text import latex, markdown
from pipeline_lib.tables import Layout, write_csv


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
