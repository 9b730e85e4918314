"""Number the tokens of the filtered training split and join their vectors."""

from pathlib import Path

from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.vocabulary import vocabulary_schema
from pipeline_lib.stage.cli import run
from pipeline_lib.text.units import build


def main(train: Path, vectors: Path, out: Path) -> None:
    table = build(train, vectors)
    write_parquet(out, table, vocabulary_schema(table.schema.field("vector").type.list_size))


if __name__ == "__main__":
    run(main)
