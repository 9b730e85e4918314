"""Give every pair its group; the groups are fitted on the training split alone."""

from pathlib import Path

from pipeline_lib.cli import run
from pipeline_lib.cluster.assign import cluster_pairs
from pipeline_lib.config.clustering import Clustering


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
    cluster_pairs(pairs, keywords, vectors, method, settings, out)


if __name__ == "__main__":
    run(main)
