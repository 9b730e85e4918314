"""Take in the responses of a system that was not trained here, one for each context of a split."""

from pathlib import Path

from pipeline_lib.files.formats import write_parquet
from pipeline_lib.responses.external import external
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.stage.cli import run
from pipeline_lib.text.tokenisers import tokeniser as find


def main(responses: Path, examples: Path, tokeniser: str, out: Path) -> None:
    write_parquet(out, external(responses, examples, find(tokeniser)), RESPONSES)


if __name__ == "__main__":
    run(main)
