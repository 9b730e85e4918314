"""Make Table 5 of the paper as .csv, .md and .tex."""

from pathlib import Path

from pipeline_lib.files.formats import write_text
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.cells import Layout
from pipeline_lib.tables.files import write_csv
from pipeline_lib.tables.texts import case_rows, latex, markdown


def main(cases: list[Path], items: list[Path], layout: Layout, contexts: int, csv: Path, md: Path, tex: Path) -> None:
    rows = case_rows(dict(zip(layout.corpora, cases, strict=True)), items, layout)
    write_csv(csv, rows)
    write_text(md, markdown(rows, layout, contexts))
    write_text(tex, latex(rows, layout, contexts))


if __name__ == "__main__":
    run(main)
