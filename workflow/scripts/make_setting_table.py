"""Make a table of settings as .csv, .md, .tex and .json."""

from json import loads
from pathlib import Path

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import SettingTable
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.files import write_table
from pipeline_lib.tables.published import Published
from pipeline_lib.tables.settings import make


def main(
    name: str,
    spec: SettingTable,
    layout: Layout,
    settings: str,
    published: Path,
    csv: Path,
    md: Path,
    tex: Path,
    json: Path,
) -> None:
    write_table(make(name, spec, layout, loads(settings), Published.read(published)), csv, md, tex, json)


if __name__ == "__main__":
    run(main)
