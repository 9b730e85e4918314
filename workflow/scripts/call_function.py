"""Ask a function of the user's own for a response to every context of a split."""

import json
from pathlib import Path

from pipeline_lib.files.formats import write_parquet
from pipeline_lib.responses.functions import respond_with
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.stage.cli import run
from pipeline_lib.text.tokenisers import tokeniser as find


def main(
    function: str, options: str, train: Path, examples: Path, vectors: Path, tokeniser: str, seed: int, out: Path
) -> None:
    responses = respond_with(function, json.loads(options), train, examples, vectors, find(tokeniser), seed)
    write_parquet(out, responses, RESPONSES)


if __name__ == "__main__":
    run(main)
