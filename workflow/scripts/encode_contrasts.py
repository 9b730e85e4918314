"""Turn the negatives and keywords of all splits into what a network reads."""

from pathlib import Path

from pipeline_lib.examples.contrasted import encoded_for
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.stage.cli import run
from pipeline_lib.text.units import read_units


def main(contrasts: list[Path], keywords: list[Path], graph: Path, vocabulary: Path, out: Path) -> None:
    table = encoded_for(contrasts, keywords, graph, read_units(vocabulary))
    write_parquet(out, table, table.schema)


if __name__ == "__main__":
    run(main)
