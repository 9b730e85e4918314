"""Score the responses of a generated corpus under the distribution that they were drawn from."""

from pathlib import Path

from pipeline_lib.config.corpora import Source
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.responses.exact import exact
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.stage.cli import run


def main(kind: str, source: Source, examples: Path, split: str, out: Path) -> None:
    table = exact(kind, source, examples, split)  # type: ignore[arg-type]  # the configuration checks it
    write_parquet(out, table, RESPONSES)


if __name__ == "__main__":
    run(main)
