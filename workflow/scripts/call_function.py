"""Ask a function of the user's own for a response to every context of a split."""

import json
from pathlib import Path

from pipeline_lib import schema, storage
from pipeline_lib.cli import run
from pipeline_lib.decoding.functions import respond_with


def main(function: str, options: str, train: Path, pairs: Path, vectors: Path, seed: int, out: Path) -> None:
    responses = respond_with(function, json.loads(options), train, pairs, vectors, seed)
    storage.write_parquet(out, responses, schema.RESPONSES)


if __name__ == "__main__":
    run(main)
