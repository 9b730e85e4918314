"""Take in further references to the contexts of a split."""

from pathlib import Path

from pipeline_lib.examples.references import further_references
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.references import REFERENCES
from pipeline_lib.stage.cli import run
from pipeline_lib.text.tokenisers import tokeniser as find


def main(references: Path, examples: Path, tokeniser: str, out: Path) -> None:
    write_parquet(out, further_references(references, examples, find(tokeniser)), REFERENCES)


if __name__ == "__main__":
    run(main)
