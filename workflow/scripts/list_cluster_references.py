"""List the other paraphrases of the cluster of each example."""

from pathlib import Path

from pipeline_lib.examples.references import cluster_references
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.references import REFERENCES
from pipeline_lib.stage.cli import run


def main(examples: Path, out: Path) -> None:
    write_parquet(out, cluster_references(examples), REFERENCES)


if __name__ == "__main__":
    run(main)
