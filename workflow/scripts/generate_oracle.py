"""Answer every context of a generated corpus as one who knows its distribution."""

from pathlib import Path

from pipeline_lib.config.corpora import Source
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.responses.oracles import oracle
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.stage.cli import run


def main(kind: str, source: Source, examples: Path, samples: int, seed: int, out: Path) -> None:
    table = oracle(kind, source, examples, seed, samples)  # type: ignore[arg-type]  # the configuration checks it
    write_parquet(out, table, RESPONSES)


if __name__ == "__main__":
    run(main)
