"""Make table1, table2 or table3 of the paper as .csv, .md and .tex."""

from pathlib import Path

from pipeline_lib.config.tables import Tables
from pipeline_lib.files.formats import write_text
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.cells import Layout
from pipeline_lib.tables.files import write_long_form
from pipeline_lib.tables.scores import build
from pipeline_lib.tables.text import latex, markdown


def main(
    table: str,
    scores: list[Path],
    significance: list[Path],
    counts: list[Path],
    layout: Layout,
    settings: Tables,
    csv: Path,
    md: Path,
    tex: Path,
) -> None:
    built = build(table, scores, significance, counts, layout, settings)
    write_long_form(csv, built)
    write_text(md, markdown(built, settings.digits))
    write_text(tex, latex(built, settings.digits))


if __name__ == "__main__":
    run(main)
