"""Turn the pairs of one split into token ids that training maps into memory."""

from pathlib import Path

from pipeline_lib.cli import run
from pipeline_lib.text.vocabulary import Vocabulary
from pipeline_lib.training.encoded import encode_pairs


def main(pairs: Path, vocabulary: Path, out: Path) -> None:
    encode_pairs(pairs, Vocabulary.read(vocabulary), out)


if __name__ == "__main__":
    run(main)
