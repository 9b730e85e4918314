"""TextRank keywords of every context and response."""

from pathlib import Path

from pipeline_lib.config.keywords import Keywords
from pipeline_lib.stage.cli import run
from pipeline_lib.text.keywords import extract_keywords
from pipeline_lib.text.tokenisers import tokeniser as find


def main(examples: Path, train: Path, settings: Keywords, tokeniser: str, threads: int, out: Path) -> None:
    extract_keywords(examples, train, settings, find(tokeniser).LANGUAGE, threads, out)


if __name__ == "__main__":
    run(main)
