"""Turn the examples of one split into token ids that training maps into memory."""

from pathlib import Path

from pipeline_lib.examples.encoded import encode_examples
from pipeline_lib.stage.cli import run
from pipeline_lib.text.units import Words


def main(examples: Path, vocabulary: Path, out: Path) -> None:
    encode_examples(examples, Words.read(vocabulary), out)


if __name__ == "__main__":
    run(main)
