"""Number the tokens of the filtered training split and join their vectors."""

from pathlib import Path

from pipeline_lib import schema
from pipeline_lib.cli import run
from pipeline_lib.storage import write_parquet
from pipeline_lib.text.vocabulary import build


def main(train: Path, vectors: Path, out: Path) -> None:
    table = build(train, vectors)
    write_parquet(out, table, schema.vocabulary(table.schema.field("vector").type.list_size))


if __name__ == "__main__":
    run(main)
