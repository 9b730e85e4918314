"""Turn the examples of one split into token ids that training maps into memory."""

from pathlib import Path

from pipeline_lib.examples.encoded import encode_examples
from pipeline_lib.stage.cli import run
from pipeline_lib.text.units import read_units


def main(examples: Path, vocabulary: Path, out: Path) -> None:
    encode_examples(examples, read_units(vocabulary), out)


if __name__ == "__main__":
    run(main)
