"""Build the graph of keywords from the negatives of the training split."""

from pathlib import Path

from pipeline_lib.examples.contrasted import graph_of
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.stage.cli import run
from pipeline_lib.vectors.space import VectorSpace


def main(contrasts: list[Path], examples: list[Path], vectors: Path, neighbours: int, out: Path) -> None:
    table = graph_of(contrasts, examples, VectorSpace.read(vectors), neighbours)
    write_parquet(out, table, table.schema)


if __name__ == "__main__":
    run(main)
