"""Make a table of scores as .csv, .md, .tex and .json."""

from pathlib import Path

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import ScoreTable
from pipeline_lib.config.significance import Significance
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.files import write_table
from pipeline_lib.tables.published import Published
from pipeline_lib.tables.scores import make


def main(
    name: str,
    spec: ScoreTable,
    layout: Layout,
    scores: list[Path],
    significance: list[Path],
    per_item: list[Path],
    test: Significance,
    published: Path,
    csv: Path,
    md: Path,
    tex: Path,
    json: Path,
) -> None:
    table = make(name, spec, layout, scores, significance, per_item, test, Published.read(published))
    write_table(table, csv, md, tex, json)


if __name__ == "__main__":
    run(main)
