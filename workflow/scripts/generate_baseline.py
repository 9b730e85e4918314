"""Write the rows that frame every table: random training responses, or the human references."""

from pathlib import Path

from pipeline_lib import schema, storage
from pipeline_lib.cli import run
from pipeline_lib.decoding.baselines import baseline


def main(kind: str, train: Path, pairs: Path, seed: int, out: Path) -> None:
    storage.write_parquet(out, baseline(kind, train, pairs, seed), schema.RESPONSES)


if __name__ == "__main__":
    run(main)
