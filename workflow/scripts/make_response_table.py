"""Make a table of contexts drawn at random and the responses to them as .csv, .md, .tex and .json."""

from pathlib import Path

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import ResponseTable
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.files import write_table
from pipeline_lib.tables.responses import make


def main(
    name: str, spec: ResponseTable, layout: Layout, responses: list[Path], csv: Path, md: Path, tex: Path, json: Path
) -> None:
    write_table(make(name, spec, layout, responses), csv, md, tex, json)


if __name__ == "__main__":
    run(main)
