"""Number the tokens of the filtered training split and join their vectors."""

from pathlib import Path

from pipeline_lib.config.filtering import Filtering
from pipeline_lib.examples.filtering import known_tokens
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.stage.cli import run
from pipeline_lib.vectors.vocabulary import build


def main(train: Path, tokens: list[Path], vectors: list[Path], settings: Filtering, out: Path) -> None:
    given = vectors[0] if vectors else None
    table = build(train, given, known_tokens(tokens[0], given, settings).tokens if tokens else None)
    write_parquet(out, table, table.schema)


if __name__ == "__main__":
    run(main)
