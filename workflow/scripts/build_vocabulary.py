"""Number the tokens of the filtered training split and join their vectors."""

from pathlib import Path

from pipeline_lib.files.formats import write_parquet
from pipeline_lib.stage.cli import run
from pipeline_lib.vectors.vocabulary import build


def main(train: Path, vectors: list[Path], out: Path) -> None:
    table = build(train, vectors[0] if vectors else None)
    write_parquet(out, table, table.schema)


if __name__ == "__main__":
    run(main)
