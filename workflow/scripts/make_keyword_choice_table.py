"""Make a table of responses that systems give when they are told other keywords, as .csv, .md, .tex and .json."""

from pathlib import Path

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import KeywordTable
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.files import write_table
from pipeline_lib.tables.keyword_choice import make


def main(
    name: str, spec: KeywordTable, layout: Layout, choices: list[Path], csv: Path, md: Path, tex: Path, json: Path
) -> None:
    write_table(make(name, spec, layout, choices), csv, md, tex, json)


if __name__ == "__main__":
    run(main)
