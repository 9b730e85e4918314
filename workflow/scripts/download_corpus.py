"""Fetch the files of a corpus from a mirror or the network and list them in a manifest."""

import logging
from pathlib import Path

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora.download import fetch_bundle
from pipeline_lib.files.formats import write_json
from pipeline_lib.stage.cli import run


def main(source: Source, mirrors: list[Path], out: Path) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    own = [Path(source.mirror)] if source.mirror else []
    write_json(out, fetch_bundle(source.bundles, own + mirrors, out.parent))


if __name__ == "__main__":
    run(main)
