"""Time and memory of each clustering on generated mean vectors, and how far the large-scale forms agree with the exact.

    python benchmarks/clustering.py [texts ...]

About two minutes by default; 500000 and 5000000 are worth a look. Each figure is taken in a process of its own.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "2")  # the threads that the workflow gives to this stage

import sys
import time

import numpy as np
import pyarrow as pa
from measure import head, python, row

from pipeline_lib.cluster import agglomerative, kmeans, spectral
from pipeline_lib.cluster.assign import METHODS
from pipeline_lib.cluster.grouping import Grouping
from pipeline_lib.cluster.mean_vectors import MeanVectors, WordVectors
from pipeline_lib.config import Clustering

SIZES = [100_000]
DIMENSION, VOCABULARY, TOPICS, WORDS = 300, 20_000, 8, 8  # WORDS: of one text
AGREEMENT = 5_000  # texts of the comparison


def mean_vectors(n: int) -> MeanVectors:
    """n texts of ``WORDS`` words, half of them from one of ``TOPICS`` topics; every hundredth has no known word."""
    generator = np.random.default_rng(0)
    matrix = generator.standard_normal((VOCABULARY, DIMENSION), dtype=np.float32)
    matrix += np.repeat(generator.standard_normal((TOPICS, DIMENSION), dtype=np.float32), VOCABULARY // TOPICS, axis=0)
    topic = generator.integers(TOPICS, size=(n, 1), dtype=np.int32)
    rows = generator.integers(VOCABULARY, size=(n, WORDS), dtype=np.int32)
    rows[:, ::2] = rows[:, ::2] % (VOCABULARY // TOPICS) + topic * (VOCABULARY // TOPICS)
    rows[::100] = VOCABULARY  # not in the vocabulary
    tokens = pa.array(np.arange(VOCABULARY, dtype=np.int32))  # numbers stand for words
    lists = (
        pa.ListArray.from_arrays(np.arange(0, chunk.size + 1, WORDS, dtype=np.int32), pa.array(chunk.ravel()))
        for chunk in np.array_split(rows, max(1, n // 100_000))
    )
    return MeanVectors(lists, WordVectors(tokens, matrix))


def main(sizes: list[int]) -> None:
    head("clustering", "texts", "s", "peak MiB")
    for size in sizes:
        for method in METHODS:
            own = python(__file__, method, str(size))
            row(method, f"{size:,}", f"{float(own.output):.1f}", f"{own.peak:.0f}")
    agreement()


def seconds(method: str, n: int) -> float:
    points = mean_vectors(n)
    start = time.perf_counter()
    METHODS[method](points, Clustering())
    return time.perf_counter() - start


def agreement() -> None:
    from sklearn.metrics import adjusted_rand_score

    points, exact = mean_vectors(AGREEMENT)[:], Clustering(exact_up_to=AGREEMENT)
    large = Clustering(minibatch_from=AGREEMENT // 5, exact_up_to=1)

    def score(one: Grouping, other: Grouping) -> float:
        return adjusted_rand_score(one.train, other.train)

    print()
    head("large-scale against exact form", "texts", "adjusted Rand index")
    for name, fit in (("kmeans", kmeans.fit), ("spectral", spectral.fit), ("agglomerative", agglomerative.fit)):
        row(name, f"{AGREEMENT:,}", f"{score(fit(points, exact), fit(points, large)):.3f}")


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in METHODS:
        print(seconds(sys.argv[1], int(sys.argv[2])))  # one figure, in this process
    else:
        main([int(argument) for argument in sys.argv[1:]] or SIZES)
