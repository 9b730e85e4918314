"""Count the pairs of each split, and how far they are one-to-many and many-to-one."""

from dataclasses import asdict
from pathlib import Path

from pipeline_lib.cli import run
from pipeline_lib.corpora.counting import count_pairs
from pipeline_lib.storage import write_json


def main(pairs: list[Path], out: Path) -> None:
    write_json(out, {path.stem: asdict(count_pairs(path)) for path in pairs})


if __name__ == "__main__":
    run(main)
