"""Check a list of word pieces and take it in."""

from pathlib import Path

from pipeline_lib.files.formats import write_text
from pipeline_lib.stage.cli import run
from pipeline_lib.text.pieces import Pieces


def main(pieces: Path, out: Path) -> None:
    write_text(out, "".join(f"{piece}\n" for piece in Pieces.read(pieces).pieces))


if __name__ == "__main__":
    run(main)
