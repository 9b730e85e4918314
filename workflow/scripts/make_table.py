"""Make table1, table2 or table3 of the paper as .csv, .md and .tex."""

from pathlib import Path

from pipeline_lib.cli import run
from pipeline_lib.config.tables import Tables
from pipeline_lib.storage import write_text
from pipeline_lib.table_text import latex, markdown
from pipeline_lib.tables import Layout, build, write_long_form


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
