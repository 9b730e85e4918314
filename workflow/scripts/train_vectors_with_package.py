"""Train GloVe vectors on the training split with glove-python-binary, in an environment of its own."""

import logging
from pathlib import Path

from pipeline_lib.config.embeddings import GloveTraining
from pipeline_lib.stage.cli import run
from pipeline_lib.text.tokenisers import tokeniser as find
from pipeline_lib.vectors.glove import write_vectors
from pipeline_lib.vectors.glove_package import PACKAGE, train_with_package
from pipeline_lib.vectors.glove_training import sentences, training_tokens


def main(dialogues: Path, tokens: Path, settings: GloveTraining, tokeniser: str, environment: Path, out: Path) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    wanted = training_tokens(tokens, settings.min_count)
    trained = train_with_package(sentences(dialogues, find(tokeniser).tokenise_array), wanted, settings, environment)
    write_vectors(out, trained.tokens, trained.vectors, PACKAGE)


if __name__ == "__main__":
    run(main)
