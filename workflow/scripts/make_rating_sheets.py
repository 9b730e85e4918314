"""Write the rating sheets of every corpus, as CSV and as a page for the browser."""

from pathlib import Path

from pipeline_lib.ratings.draw import read_draw
from pipeline_lib.ratings.sheets import write_sheets
from pipeline_lib.stage.cli import run


def main(keys: list[Path], out: Path) -> None:
    for draw in map(read_draw, keys):
        write_sheets(out / draw.corpus, draw)


if __name__ == "__main__":
    run(main)
