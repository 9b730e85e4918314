"""Time and memory of each clustering on generated mean vectors, and how far the large-scale forms agree with the exact.

    python benchmarks/clustering.py [texts ... | agreement]

About two minutes by default; 500000 and 5000000 are worth a look. Each value is taken in a process of its own.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "2")  # the threads that the workflow gives to this stage

import gzip
import sys
import time
from itertools import islice
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from measure import REPOSITORY, head, python, row
from numpy.typing import NDArray

from pipeline_lib.clusters import agglomerative, kmeans, spectral
from pipeline_lib.clusters.assign import METHODS
from pipeline_lib.config.clustering import Clustering
from pipeline_lib.text.tokenisers.english import tokenise_array
from pipeline_lib.vectors.glove import select_vectors
from pipeline_lib.vectors.means import MeanVectors
from pipeline_lib.vectors.space import VectorSpace

DATA = Path(os.environ.get("WORKBENCH_DATA", REPOSITORY.parent / "shared/data"))
REAL_LINES = DATA / "en_subtitle_lines/en_tv_subtitles.txt.gz"
REAL_VECTORS = DATA / "glove/glove.6B.50d.subset.txt.gz"
SIZES = [100_000]
DIMENSION, VOCABULARY, TOPICS, WORDS = 300, 20_000, 8, 8  # WORDS: of one text
AGREEMENT, LANDMARKS = 5_000, 200  # texts of the comparison; so few landmarks that they are fitted by mini-batches


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
    return MeanVectors(lists, VectorSpace(tokens, matrix, "made up"))


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
    """How far the large-scale forms agree with the exact ones, and these with themselves on nine tenths of the texts.

    Where texts form no clear groups, as those of subtitles, leaving out some changes the exact partition too: what the
    second column shows, the first could reach.
    """
    from sklearn.metrics import adjusted_rand_score  # not in the processes whose memory is measured

    print()
    head("adjusted Rand index", "texts", "large-scale with exact", "exact with exact, a tenth left out")
    exact = Clustering(exact_up_to=AGREEMENT)
    large = Clustering(minibatch_from=AGREEMENT // 5, exact_up_to=1, landmarks=LANDMARKS)
    kept = np.sort(np.random.default_rng(0).permutation(AGREEMENT)[AGREEMENT // 10 :])
    for name, points in {"generated": mean_vectors(AGREEMENT)[:], "subtitles": subtitles(AGREEMENT)}.items():
        if points is None:
            continue
        for method, fit in (("kmeans", kmeans.fit), ("spectral", spectral.fit), ("agglomerative", agglomerative.fit)):
            groups = fit(points, exact).train
            with patch.object(kmeans, "_refined", wraps=kmeans._refined) as refined:
                same = adjusted_rand_score(groups, fit(points, large).train)
            assert any(call.args[0] is points for call in refined.call_args_list), "no mini-batches of texts"
            fewer = adjusted_rand_score(groups[kept], fit(points[kept], exact).train)
            row(f"{method}, {name}", f"{len(points):,}", f"{same:.3f}", f"{fewer:.3f}")


def subtitles(n: int) -> NDArray[np.float32] | None:
    """Mean vectors of n subtitle lines of the development data; None where they are not at hand."""
    if not REAL_LINES.exists():
        return None
    with gzip.open(REAL_LINES, "rt", encoding="utf-8", errors="replace") as file:
        said = list(islice(filter(str.strip, file), n))
    words = pc.split_pattern(tokenise_array(pa.array(said)), " ")
    chosen = select_vectors(REAL_VECTORS, pc.unique(words.flatten()))
    return MeanVectors([words], VectorSpace(chosen.tokens, chosen.vectors, "made up"))[:]


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in METHODS:
        print(seconds(sys.argv[1], int(sys.argv[2])))  # one value, in this process
    elif sys.argv[1:] == ["agreement"]:
        agreement()
    else:
        main([int(argument) for argument in sys.argv[1:]] or SIZES)
