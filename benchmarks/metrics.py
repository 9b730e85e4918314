"""Metrics and paired tests against the usual loop over pairs, on generated responses.

    python benchmarks/metrics.py

prints one Markdown row per metric: processor seconds of both, their ratio, the largest difference of a pair's score,
and the peak memory of each. Both run on one thread. The embedding metrics start from tokenised texts on both sides,
since the workflow tokenises once for all metrics; tokenisation is inside the row that says so.
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import time
import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow as pa
from nltk.translate.bleu_score import SmoothingFunction
from nltk.translate.bleu_score import sentence_bleu as nltk_bleu

from pipeline_lib.config import Significance
from pipeline_lib.metrics.average import Average
from pipeline_lib.metrics.base import Metric
from pipeline_lib.metrics.bleu import SentenceBleu
from pipeline_lib.metrics.coherence import Coherence
from pipeline_lib.metrics.extrema import Extrema
from pipeline_lib.metrics.greedy import Greedy
from pipeline_lib.metrics.items import Items, Likelihood
from pipeline_lib.metrics.vectors import VectorSpace
from pipeline_lib.significance import BETTER, RATIOS, Outputs, compare

PAIRS, WORDS, DIMENSION, SYSTEMS, SEEDS, TRIALS = 6_000, 10_000, 300, 9, 2, 1_000
PER_ITEM = [name for name in BETTER if not name.startswith("distinct") and name not in RATIOS]
Vectors = dict[str, np.ndarray]
Tokens = list[str]


def main() -> None:
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(WORDS)]
    matrix = rng.normal(size=(WORDS, DIMENSION)).astype(np.float32)
    space = VectorSpace(pa.array(words), matrix, "generated@0")
    lookup = dict(zip(words, matrix, strict=True))
    contexts, references, responses = (texts(words, rng) for _ in range(3))
    print(f"{PAIRS} pairs, {np.mean([len(t.split()) for t in responses]):.1f} tokens, {DIMENSION} dimensions\n")
    print("| metric | loop s | ours s | ratio | largest difference | loop MB | ours MB |")
    print("|:--|--:|--:|--:|--:|--:|--:|")
    items = Items.of(contexts, references, responses)
    split = {id(column): [text.split() for text in column] for column in (contexts, references, responses)}
    embedding: list[tuple[Metric, Callable[[Tokens, Tokens, Vectors], float], list[str]]] = [
        (Average(space), average, references),
        (Extrema(space), extrema, references),
        (Greedy(space), greedy, references),
        (Coherence(space, "keep"), average, contexts),
    ]
    for metric, pair, other in embedding:
        pairs = list(zip(split[id(responses)], split[id(other)], strict=True))
        row(metric.name, partial(one_by_one, pair, pairs, lookup), partial(scores, metric, items))
    bleu = partial(nltk_scores, references, responses), partial(our_bleu, references, responses)
    row("BLEU-1 to 4, current, with tokenisation", *bleu)
    systems = [outputs(f"system{i}", words, rng) for i in range(SYSTEMS)]
    started = time.process_time()
    tested = compare(systems, Significance(trials=TRIALS))
    seconds = time.process_time() - started
    columns = len({r["metric"] for r in tested})
    size = f"{columns} columns, {SYSTEMS} systems, {SEEDS} seeds, {TRIALS} trials"
    print(f"\n{len(tested)} paired tests ({size}): {seconds:.1f} s")


def texts(words: list[str], rng: np.random.Generator) -> list[str]:
    """Lengths and word frequencies like those of dialogue: 1 to 25 tokens, Zipf."""
    lengths = np.clip(rng.geometric(0.09, PAIRS), 1, 25)
    return [" ".join(words[i] for i in np.minimum(rng.zipf(1.3, n), WORDS) - 1) for n in lengths]


def scores(metric: Metric, items: Items) -> np.ndarray:
    per_item = metric(items).per_item
    assert per_item is not None
    return per_item


def row(name: str, slow: Callable[[], np.ndarray], fast: Callable[[], np.ndarray]) -> None:
    fast()  # imports happen once, and not in the measurement
    fast_seconds, ours = timed(fast, repeats=5)
    slow_seconds, theirs = timed(slow, repeats=2)
    difference = np.abs(theirs - ours).max()
    memory = f"{peak(slow):.0f} | {peak(fast):.0f}"
    ratio = slow_seconds / fast_seconds
    print(
        f"| {name} | {slow_seconds:.2f} | {fast_seconds:.3f} | {ratio:.0f} | {difference:.0e} | {memory} |", flush=True
    )


def timed(function: Callable[[], np.ndarray], repeats: int) -> tuple[float, np.ndarray]:
    best = float("inf")
    for _ in range(repeats):
        started = time.process_time()
        result = function()
        best = min(best, time.process_time() - started)
    return best, result


def peak(function: Callable[[], object]) -> float:
    """Megabytes allocated at the most, beyond what there was."""
    tracemalloc.start()
    function()
    top = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return top


# --- the usual loops, one pair at a time ---------------------------------------------------------------------------


def one_by_one(
    pair: Callable[[Tokens, Tokens, Vectors], float], pairs: list[tuple[Tokens, Tokens]], vectors: Vectors
) -> np.ndarray:
    return np.array([pair(a, b, vectors) for a, b in pairs])


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))


def average(response: Tokens, other: Tokens, vectors: Vectors) -> float:
    a = np.mean([vectors[w] for w in response if w in vectors], axis=0)
    b = np.mean([vectors[w] for w in other if w in vectors], axis=0)
    return cosine(a, b)


def extrema(response: Tokens, reference: Tokens, vectors: Vectors) -> float:
    def extreme(text: Tokens) -> np.ndarray:
        rows = np.array([vectors[w] for w in text if w in vectors])
        highest, lowest = rows.max(axis=0), rows.min(axis=0)
        return np.where(highest >= -lowest, highest, lowest)

    return cosine(extreme(response), extreme(reference))


def greedy(response: Tokens, reference: Tokens, vectors: Vectors) -> float:
    def one_way(left: Tokens, right: Tokens) -> float:
        return float(np.mean([max(cosine(vectors[w], vectors[v]) for v in right if v in vectors) for w in left]))

    return (one_way(response, reference) + one_way(reference, response)) / 2


def nltk_scores(references: list[str], responses: list[str]) -> np.ndarray:
    orders = [[1 / n] * n + [0.0] * (4 - n) for n in range(1, 5)]
    method7 = SmoothingFunction().method7
    return np.array(
        [
            nltk_bleu([a.split()], b.split(), orders, method7) if len(b.split()) > 1 else [0.0] * 4
            for a, b in zip(references, responses, strict=True)
        ]
    )


def our_bleu(references: list[str], responses: list[str]) -> np.ndarray:
    items = Items.of([""] * len(responses), references, responses)
    return np.column_stack([scores(SentenceBleu(n, "current", "cumulative"), items) for n in range(1, 5)])


def outputs(name: str, words: list[str], rng: np.random.Generator) -> Outputs:
    """One system's answers and likelihoods."""
    seeds = {}
    for seed in range(SEEDS):
        items = Items.of([""] * PAIRS, texts(words, rng), texts(words, rng))
        nats = [rng.uniform(10, 60, PAIRS) for _ in range(4)]
        seeds[seed] = Items(
            items.vocabulary,
            items.contexts,
            items.references,
            items.responses,
            items.reference_item,
            Likelihood(items.references.lengths + 1.0, *nats),
        )
    return Outputs(name, np.arange(PAIRS), seeds, {metric: rng.normal(size=PAIRS) for metric in PER_ITEM})


if __name__ == "__main__":
    main()
