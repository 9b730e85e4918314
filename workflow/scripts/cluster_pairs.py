"""Give every pair its group; the groups are fitted on the training split alone."""

from pathlib import Path

from pipeline_lib.cli import run
from pipeline_lib.cluster.assign import cluster_pairs
from pipeline_lib.config import Clustering
from pipeline_lib.schema import CLUSTERS
from pipeline_lib.storage import write_parquet


def main(
    train: Path,
    validation: Path,
    test: Path,
    keywords: list[Path],
    vectors: Path,
    method: str,
    settings: Clustering,
    out: Path,
) -> None:
    pairs = {"train": train, "validation": validation, "test": test}
    table = cluster_pairs(pairs, keywords, vectors, method, settings)
    write_parquet(out, table, CLUSTERS, metadata={"without_words": table.schema.metadata[b"without_words"].decode()})


if __name__ == "__main__":
    run(main)
