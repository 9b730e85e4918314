"""Test the best system of every column against the others, for one corpus and split."""

from pathlib import Path

import pyarrow as pa

from pipeline_lib.cli import run
from pipeline_lib.config.tables import Significance
from pipeline_lib.schema import SIGNIFICANCE
from pipeline_lib.significance import compare, read_outputs
from pipeline_lib.storage import write_parquet


def main(items: list[Path], competing: list[str], settings: Significance, out: Path) -> None:
    corpus, split, systems = read_outputs(items, competing)
    rows = [{"corpus": corpus, "split": split, **row} for row in compare(systems, settings)]
    write_parquet(out, pa.Table.from_pylist(rows, SIGNIFICANCE), SIGNIFICANCE)


if __name__ == "__main__":
    run(main)
