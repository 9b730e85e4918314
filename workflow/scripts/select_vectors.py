"""Take the vectors of a corpus's tokens out of a GloVe file."""

import logging
from pathlib import Path

from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.tokens import TOKENS
from pipeline_lib.stage.cli import run
from pipeline_lib.vectors.glove import select_vectors


def main(file: Path, tokens: Path, out: Path, dimension: int | None = None) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    wanted = read_parquet(tokens, TOKENS, columns=["token"])["token"].combine_chunks()
    select_vectors(file, wanted, dimension).write(out)


if __name__ == "__main__":
    run(main)
