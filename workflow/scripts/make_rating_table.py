"""Make a table of human judgement, of the rating sheets that were filled in, as .csv, .md, .tex and .json."""

from pathlib import Path

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import RatingTable
from pipeline_lib.ratings.draw import read_draw
from pipeline_lib.ratings.filled import read_ratings
from pipeline_lib.stage.cli import run
from pipeline_lib.tables.files import write_table
from pipeline_lib.tables.published import Published
from pipeline_lib.tables.ratings import make


def main(
    name: str,
    spec: RatingTable,
    layout: Layout,
    ratings: list[Path],
    drawn: list[Path],
    level: float,
    published: Path,
    csv: Path,
    md: Path,
    tex: Path,
    json: Path,
) -> None:
    draws = {draw.corpus: draw for draw in map(read_draw, drawn)}
    given = read_ratings(ratings, list(draws.values()))
    write_table(make(name, spec, layout, draws, given, level, Published.read(published)), csv, md, tex, json)


if __name__ == "__main__":
    run(main)
