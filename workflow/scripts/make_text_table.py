"""Make a table of texts as .csv, .md, .tex and .json."""

from pathlib import Path

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import TextTable
from pipeline_lib.files.formats import write_json, write_text
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.files import write_csv
from pipeline_lib.tables.texts import case_rows, latex, markdown


def main(
    name: str,
    spec: TextTable,
    layout: Layout,
    analysis: list[Path],
    items: list[Path],
    csv: Path,
    md: Path,
    tex: Path,
    json: Path,
) -> None:
    rows = case_rows(dict(zip(layout.corpora, analysis, strict=True)), items, layout)
    write_csv(csv, rows)
    write_text(md, markdown(rows, layout, 5))
    write_text(tex, latex(rows, layout, 5))
    write_json(json, {"name": name, "title": spec.title, "caption": spec.caption})


if __name__ == "__main__":
    run(main)
