"""Give every example its group; the groups are fitted on the training split alone."""

from pathlib import Path

from pipeline_lib.clusters.assign import cluster_examples
from pipeline_lib.config.clustering import Clustering
from pipeline_lib.stage.cli import run


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
    examples = {"train": train, "validation": validation, "test": test}
    cluster_examples(examples, keywords, vectors, method, settings, out)


if __name__ == "__main__":
    run(main)
