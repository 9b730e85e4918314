"""Choose for every example a text that is like its context and means something else."""

import logging
from pathlib import Path

from pipeline_lib.config.contrasts import Contrasts
from pipeline_lib.config.keywords import Keywords
from pipeline_lib.examples.contrasted import negatives_of
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.contrasts import CONTRASTS
from pipeline_lib.stage.cli import run
from pipeline_lib.text.tokenisers import tokeniser as find


def main(
    examples: Path,
    keywords: Path,
    train: Path,
    dialogues: Path,
    turns: int,
    tokeniser: str,
    ranking: Keywords,
    settings: Contrasts,
    out: Path,
) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    table = negatives_of(examples, keywords, train, dialogues, turns, find(tokeniser), ranking, settings)
    write_parquet(out, table, CONTRASTS)


if __name__ == "__main__":
    run(main)
