"""Take in the responses of a system that was not trained here, one for each context of a split."""

from pathlib import Path

from pipeline_lib.files.formats import write_parquet
from pipeline_lib.responses.external import external
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.stage.cli import run


def main(responses: Path, examples: Path, out: Path) -> None:
    write_parquet(out, external(responses, examples), RESPONSES)


if __name__ == "__main__":
    run(main)
