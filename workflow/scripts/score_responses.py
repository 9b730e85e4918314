"""Score the responses of one system and seed."""

from pathlib import Path

import pyarrow as pa

from pipeline_lib.config.metrics import Metrics
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.metrics.suite import Files, score_file
from pipeline_lib.schemas.scores import SCORES
from pipeline_lib.stage.cli import run
from pipeline_lib.text.tokenisers import tokeniser as find


def main(
    responses: Path,
    examples: Path,
    metrics: list[str],
    settings: Metrics,
    tokeniser: str,
    importance_samples: int,
    corpus: str,
    split: str,
    system: str,
    seed: int,
    scores: Path,
    per_item: Path,
    only: Path | None = None,
    vectors: Path | None = None,
    references: Path | None = None,
    clusters: Path | None = None,
    users: Path | None = None,
    train: Path | None = None,
) -> None:
    files = Files(responses, vectors, references, only, users, train, clusters, examples)
    language = find(tokeniser).LANGUAGE
    rows, values = score_file(files, metrics, settings, seed, language, importance_samples)
    run_of = {"corpus": corpus, "split": split, "system": system, "seed": seed}
    write_parquet(scores, pa.Table.from_pylist([run_of | row for row in rows], SCORES), SCORES)
    write_parquet(per_item, values, values.schema, {key: str(value) for key, value in run_of.items()})


if __name__ == "__main__":
    run(main)
