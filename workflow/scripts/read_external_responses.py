"""Take in the responses of a system that was not trained here, one for each context of a split."""

from pathlib import Path

from pipeline_lib import schema, storage
from pipeline_lib.cli import run
from pipeline_lib.decoding.external import external


def main(responses: Path, pairs: Path, out: Path) -> None:
    storage.write_parquet(out, external(responses, pairs), schema.RESPONSES)


if __name__ == "__main__":
    run(main)
