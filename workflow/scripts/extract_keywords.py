"""TextRank keywords of every context and response."""

from pathlib import Path

from pipeline_lib.cli import run
from pipeline_lib.config import Keywords
from pipeline_lib.schema import KEYWORDS
from pipeline_lib.storage import write_parquet
from pipeline_lib.text.keywords import extract_keywords


def main(pairs: Path, train: Path, settings: Keywords, threads: int, out: Path) -> None:
    write_parquet(out, extract_keywords(pairs, train, settings.most, threads), KEYWORDS)


if __name__ == "__main__":
    run(main)
