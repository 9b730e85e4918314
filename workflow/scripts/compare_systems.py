"""Compare the best system of every column of a table with the others, split by split."""

from pathlib import Path

import pyarrow as pa

from pipeline_lib.config.significance import Significance
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.significance import SIGNIFICANCE
from pipeline_lib.significance.comparisons import compare
from pipeline_lib.significance.outputs import by_split, read_outputs
from pipeline_lib.stage.cli import run


def main(per_item: list[Path], competing: list[str], metrics: list[str], settings: Significance, out: Path) -> None:
    rows = [
        {"corpus": corpus, "split": split, **row}
        for (corpus, split), own in by_split(per_item).items()
        for row in compare(read_outputs(own, competing, metrics), settings, metrics)
    ]
    write_parquet(out, pa.Table.from_pylist(rows, SIGNIFICANCE), SIGNIFICANCE)


if __name__ == "__main__":
    run(main)
