"""Make Table 4, human judgement, of the rating sheets that were filled in."""

from pathlib import Path

from pipeline_lib.config.ratings import Human
from pipeline_lib.files.formats import write_text
from pipeline_lib.ratings.draw import read_draw
from pipeline_lib.ratings.filled import read_ratings
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.cells import Layout
from pipeline_lib.tables.ratings import csv_of, human_table
from pipeline_lib.tables.text import latex, markdown


def main(
    ratings: list[Path],
    keys: list[Path],
    layout: Layout,
    settings: Human,
    level: float,
    digits: int,
    csv: Path,
    md: Path,
    tex: Path,
) -> None:
    draws = [read_draw(key) for key in keys]
    table = human_table({draw.corpus: draw for draw in draws}, read_ratings(ratings, draws), layout, settings, level)
    write_text(csv, csv_of(table))
    write_text(md, markdown(table, digits))
    write_text(tex, latex(table, digits))


if __name__ == "__main__":
    run(main)
