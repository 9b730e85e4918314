"""Make a table of counts as .csv, .md, .tex and .json."""

from pathlib import Path

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import CountTable
from pipeline_lib.files.formats import read_json
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.counts import make
from pipeline_lib.tables.files import write_table
from pipeline_lib.tables.published import Published


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
    by_corpus = {value["corpus"]: value for value in map(read_json, counts)}
    write_table(make(name, spec, layout, by_corpus, Published.read(published)), csv, md, tex, json)


if __name__ == "__main__":
    run(main)
