"""Make a table of counts as .csv, .md, .tex and .json."""

from pathlib import Path

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import CountTable
from pipeline_lib.files.formats import read_json, write_json, write_text
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.counts import corpus_table
from pipeline_lib.tables.files import write_long_form
from pipeline_lib.tables.text import latex, markdown


def main(
    name: str,
    spec: CountTable,
    layout: Layout,
    counts: list[Path],
    published: Path,
    csv: Path,
    md: Path,
    tex: Path,
    json: Path,
) -> None:
    read = [(file, read_json(file)) for file in counts]
    table = corpus_table({str(value.get("corpus", file)): value for file, value in read}, layout.corpora)
    write_long_form(csv, table)
    write_text(md, markdown(table, spec.digits))
    write_text(tex, latex(table, spec.digits))
    write_json(json, {"name": name, "title": spec.title, "caption": spec.caption})


if __name__ == "__main__":
    run(main)
