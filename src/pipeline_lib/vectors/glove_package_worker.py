"""The training of vectors with glove-python-binary, in that package's own environment (Python 3.6-3.8).

Argument: a JSON object with ``sentences`` (text file, one sentence of space-separated tokens a line), ``out`` (folder),
``dimension``, ``window``, ``epochs``, ``learning_rate``, ``x_max``, ``alpha`` and ``seed``. Writes ``tokens.json`` and,
with rows in that order, ``vectors.npy`` and ``biases.npy``. One thread: with more, the package gives other vectors on
every run.
"""

import json
import os
import sys

import numpy as np
from glove import Corpus, Glove


def main(settings: dict) -> None:  # type: ignore[type-arg]  # of Python 3.6
    with open(settings["sentences"], encoding="utf-8") as file:
        sentences = [line.split() for line in file]
    corpus = Corpus()
    corpus.fit(sentences, window=settings["window"])
    glove = Glove(
        no_components=settings["dimension"],
        learning_rate=settings["learning_rate"],
        alpha=settings["alpha"],
        max_count=settings["x_max"],
        random_state=settings["seed"],
    )
    glove.fit(corpus.matrix, epochs=settings["epochs"], no_threads=1)
    tokens = sorted(corpus.dictionary, key=corpus.dictionary.get)
    np.save(os.path.join(settings["out"], "vectors.npy"), np.asarray(glove.word_vectors), allow_pickle=False)
    np.save(os.path.join(settings["out"], "biases.npy"), np.asarray(glove.word_biases), allow_pickle=False)
    with open(os.path.join(settings["out"], "tokens.json"), "w", encoding="utf-8") as file:
        json.dump(tokens, file)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
