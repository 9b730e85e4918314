"""Write a row without a model: the human references, or random, constant or copied texts."""

from pathlib import Path

from pipeline_lib.files.formats import write_parquet
from pipeline_lib.responses.baselines import baseline
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.stage.cli import run


def main(kind: str, train: Path, examples: Path, samples: int, seed: int, out: Path) -> None:
    write_parquet(out, baseline(kind, train, examples, seed, samples), RESPONSES)


if __name__ == "__main__":
    run(main)
