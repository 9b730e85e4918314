"""Read a fetched or generated corpus and write its dialogues with their splits."""

import logging
from pathlib import Path

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora.readers import read_dialogues
from pipeline_lib.files.formats import parquet_writer
from pipeline_lib.schemas.dialogues import DIALOGUES
from pipeline_lib.stage.cli import run


def main(source: Source, out: Path, manifest: Path | None = None) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with parquet_writer(out, DIALOGUES) as writer:
        for batch in read_dialogues(source, manifest):
            writer.write_batch(batch)


if __name__ == "__main__":
    run(main)
