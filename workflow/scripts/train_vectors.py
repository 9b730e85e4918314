"""Train GloVe vectors on the training split."""

import logging
from pathlib import Path

from pipeline_lib.config.embeddings import GloveTraining
from pipeline_lib.stage.cli import run
from pipeline_lib.text.tokenisers import tokeniser as find
from pipeline_lib.vectors.glove import write_vectors
from pipeline_lib.vectors.glove_training import count_cooccurrences, sentences, train_vectors, training_tokens


def main(dialogues: Path, tokens: Path, settings: GloveTraining, tokeniser: str, out: Path) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    wanted = training_tokens(tokens, settings.min_count)
    counts = count_cooccurrences(sentences(dialogues, find(tokeniser).tokenise_array), wanted, settings.window)
    write_vectors(out, wanted, train_vectors(counts, settings), "trained here")


if __name__ == "__main__":
    run(main)
