"""Time and memory of each clustering on generated mean vectors, and how far the large-scale forms agree with the exact.

    OMP_NUM_THREADS=2 python benchmarks/clustering.py [--full]

Each figure is taken in a process of its own. ``--full`` adds 5 million texts.
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa

from pipeline_lib.cluster import agglomerative, kmeans, spectral
from pipeline_lib.cluster.assign import METHODS
from pipeline_lib.cluster.grouping import Grouping
from pipeline_lib.cluster.mean_vectors import MeanVectors, WordVectors
from pipeline_lib.config import Clustering

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


def measure(method: str, n: int) -> None:
    points = mean_vectors(n)
    start = time.perf_counter()
    METHODS[method](points, Clustering())
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # kB on Linux
    print(f"{method:14}{n:>10,}{seconds:>10.1f} s{peak:>8.2f} GiB", flush=True)


def agreement() -> None:
    from sklearn.metrics import adjusted_rand_score

    points, exact = mean_vectors(AGREEMENT)[:], Clustering(exact_up_to=AGREEMENT)
    large = Clustering(minibatch_from=AGREEMENT // 5, exact_up_to=1)

    def score(one: Grouping, other: Grouping) -> float:
        return adjusted_rand_score(one.train, other.train)

    print(f"adjusted Rand index, large-scale against exact, {AGREEMENT:,} texts:")
    for name, fit in (("kmeans", kmeans.fit), ("spectral", spectral.fit), ("agglomerative", agglomerative.fit)):
        print(f"{name:14}{score(fit(points, exact), fit(points, large)):>10.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="also 5 million texts")
    parser.add_argument("--only", nargs=2, metavar=("METHOD", "N"), help="one figure, in this process")
    arguments = parser.parse_args()
    if arguments.only:
        measure(arguments.only[0], int(arguments.only[1]))
        return
    for n in (100_000, 500_000, 5_000_000)[: 3 if arguments.full else 2]:
        for method in METHODS:
            subprocess.run([sys.executable, __file__, "--only", method, str(n)], check=True)
    agreement()


if __name__ == "__main__":
    main()
