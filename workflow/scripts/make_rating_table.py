"""Make the table of human judgement of the rating sheets that were filled in, as .csv, .md, .tex and .json."""

from pathlib import Path

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import RatingTable
from pipeline_lib.files.formats import write_json, write_text
from pipeline_lib.ratings.draw import read_draw
from pipeline_lib.ratings.filled import read_ratings
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.ratings import csv_of, human_table
from pipeline_lib.tables.text import latex, markdown


def main(
    name: str,
    spec: RatingTable,
    layout: Layout,
    ratings: list[Path],
    keys: list[Path],
    level: float,
    published: Path,
    csv: Path,
    md: Path,
    tex: Path,
    json: Path,
) -> None:
    draws = [read_draw(key) for key in keys]
    table = human_table({draw.corpus: draw for draw in draws}, read_ratings(ratings, draws), layout, spec, level)
    write_text(csv, csv_of(table))
    write_text(md, markdown(table, spec.digits))
    write_text(tex, latex(table, spec.digits))
    write_json(json, {"name": name, "title": spec.title, "caption": spec.caption})


if __name__ == "__main__":
    run(main)
