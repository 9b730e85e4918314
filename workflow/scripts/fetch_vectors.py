"""Fetch a GloVe file from a mirror or the network."""

import logging
from pathlib import Path

from pipeline_lib.config.embeddings import Embeddings
from pipeline_lib.corpora.download import fetch_bundle
from pipeline_lib.stage.cli import run


def main(settings: Embeddings, mirrors: list[Path], out: Path) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    own = [Path(settings.mirror)] if settings.mirror else []
    fetch_bundle([[settings.file]] if settings.file else [], own + mirrors, out.parent)


if __name__ == "__main__":
    run(main)
