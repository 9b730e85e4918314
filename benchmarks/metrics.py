"""Metrics and paired tests against the usual loop over examples, on generated responses.

    python benchmarks/metrics.py

Prints processor seconds of both, their ratio, the largest difference of an example's score and the peak memory of each;
half a minute. Both sides run on one thread and start from tokenised texts, since the workflow tokenises once for
all metrics; looking up the word vectors is measured on both. Tokenisation is inside the row that says so.

The loop is written as evaluation scripts of the field commonly are (after Liu et al. 2016): a dictionary of vectors,
one look-up a word, sums of vectors word by word, extrema dimension by dimension, greedy matching with one cosine for
each example of words, and NLTK's sentence_bleu.
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
from measure import head, row
from nltk.translate.bleu_score import SmoothingFunction
from nltk.translate.bleu_score import sentence_bleu as nltk_bleu

from pipeline_lib.config.significance import Significance
from pipeline_lib.metrics.average import Average
from pipeline_lib.metrics.base import Metric
from pipeline_lib.metrics.bleu import Bleu1, Bleu2, Bleu3, Bleu4
from pipeline_lib.metrics.coherence import Coherence
from pipeline_lib.metrics.extrema import Extrema
from pipeline_lib.metrics.greedy import Greedy
from pipeline_lib.metrics.items import Items, ReferenceLikelihood
from pipeline_lib.metrics.named import metric_class
from pipeline_lib.significance.comparisons import compare
from pipeline_lib.significance.outputs import Outputs
from pipeline_lib.vectors.space import VectorSpace

PAIRS, WORDS, DIMENSION, SYSTEMS, SEEDS, TRIALS = 6_000, 10_000, 300, 9, 2, 1_000
LOOP_MEMORY = 200  # examples over which the loop's peak is taken: it holds one example at a time, and tracing slows it
PER_ITEM = ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "Average", "Greedy", "Extrema", "coherence"]
OF_SUMS = ["ppl", "ppl-bound", "ppl-importance", "corpus-BLEU"]
TESTED = [*OF_SUMS, "distinct-1", "distinct-2", *PER_ITEM]
Vectors = dict[str, np.ndarray]
Tokens = list[str]
Scores = np.ndarray
Columns = tuple[list[str], list[str], list[str]]  # contexts, references, responses


def main() -> None:
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(WORDS)]
    matrix = rng.normal(size=(WORDS, DIMENSION)).astype(np.float32)
    columns = texts(words, rng), texts(words, rng), texts(words, rng)
    tokens = np.mean([len(text.split()) for text in columns[2]])
    print(f"{PAIRS} examples, {tokens:.1f} tokens, {DIMENSION} dimensions\n")
    head("metric", "loop s", "examples/s", "ours s", "ratio", "largest difference", "loop MB", "ours MB")
    compare_embedding_metrics(columns, VectorSpace(pa.array(words), matrix, "generated@0"))
    _, references, responses = columns
    report(
        "BLEU-1 to 4, with tokenisation",
        lambda n: nltk_scores(references[:n], responses[:n]),
        lambda: our_bleu(references, responses),
    )
    compare_systems(words, rng)


def compare_embedding_metrics(columns: Columns, space: VectorSpace) -> None:
    lookup = dict(zip(space.tokens.to_pylist(), space.matrix, strict=True))
    items = Items.of(*columns)
    contexts, references, responses = ([text.split() for text in column] for column in columns)
    both: list[tuple[Metric, Callable[[Tokens, Tokens, Vectors], float], list[Tokens]]] = [
        (Average(space), average, references),
        (Extrema(space), extrema, references),
        (Greedy(space), greedy, references),
        (Coherence(space, "keep"), average, contexts),
    ]

    def loop(n: int, chosen: slice) -> Scores:
        examples = range(min(n, PAIRS))
        return np.array(
            [[example(responses[i], other[i], lookup) for _, example, other in both[chosen]] for i in examples]
        )

    def ours(chosen: slice) -> Scores:
        fresh = replace(items, _known={})  # vectors are looked up once for all metrics of one call, and not before
        return np.column_stack([scores(metric, fresh) for metric, _, _ in both[chosen]])

    for i, (metric, _, _) in enumerate(both):
        report(metric.name, partial(loop, chosen=slice(i, i + 1)), partial(ours, slice(i, i + 1)))
    report("all four", partial(loop, chosen=slice(None)), partial(ours, slice(None)))


def compare_systems(words: list[str], rng: np.random.Generator) -> None:
    for seeds in (1, SEEDS):  # one seed: trials over items; several: Welch's t and the jackknife
        systems = [outputs(f"system{i}", words, rng, seeds) for i in range(SYSTEMS)]
        started = time.process_time()
        tested = compare(systems, Significance(trials=TRIALS), TESTED)
        seconds = time.process_time() - started
        columns = len({r["metric"] for r in tested})
        size = f"{columns} columns, {SYSTEMS} systems, seeds: {seeds}"
        print(f"\n{len(tested)} comparisons ({size}; {tested[0]['method']}): {seconds:.1f} s")


def texts(words: list[str], rng: np.random.Generator) -> list[str]:
    """Lengths and word frequencies like those of dialogue: 1 to 25 tokens, Zipf."""
    lengths = np.clip(rng.geometric(0.09, PAIRS), 1, 25)
    return [" ".join(words[i] for i in np.minimum(rng.zipf(1.3, n), WORDS) - 1) for n in lengths]


def scores(metric: Metric, items: Items) -> Scores:
    per_item = metric(items).per_item
    assert per_item is not None
    return per_item


def report(name: str, slow: Callable[[int], Scores], fast: Callable[[], Scores]) -> None:
    """One row; ``slow`` takes the number of examples to score."""
    fast()  # imports happen once, and not in the measurement
    fast_seconds, ours = timed(fast, repeats=5)
    slow_seconds, theirs = timed(lambda: slow(PAIRS), repeats=1)
    row(
        name,
        f"{slow_seconds:.2f}",
        f"{PAIRS / slow_seconds:,.0f}",
        f"{fast_seconds:.3f}",
        f"{slow_seconds / fast_seconds:.0f}",
        f"{np.abs(theirs - ours).max():.0e}",
        f"{peak(lambda: slow(LOOP_MEMORY)):.1f}",
        f"{peak(fast):.0f}",
    )


def timed(function: Callable[[], Scores], repeats: int) -> tuple[float, Scores]:
    best = float("inf")
    for _ in range(repeats):
        started = time.process_time()
        result = function()
        best = min(best, time.process_time() - started)
    return best, result


def peak(function: Callable[[], object]) -> float:
    """Megabytes allocated at most, beyond what there was."""
    tracemalloc.start()
    function()
    top = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return top


# --- the usual loops, one example at a time ---------------------------------------------------------------------------


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))


def average(response: Tokens, other: Tokens, vectors: Vectors) -> float:
    def summed(text: Tokens) -> np.ndarray:
        total = np.zeros(DIMENSION)
        for word in text:
            if word in vectors:
                total += vectors[word]
        return total

    return cosine(summed(response), summed(other))


def extrema(response: Tokens, reference: Tokens, vectors: Vectors) -> float:
    def extreme(text: Tokens) -> np.ndarray:
        rows = [vectors[word] for word in text if word in vectors]
        highest, lowest = np.max(rows, axis=0), np.min(rows, axis=0)
        values = []
        for high, low in zip(highest, lowest, strict=True):
            values.append(low if abs(low) > high else high)
        return np.array(values)

    return cosine(extreme(response), extreme(reference))


def greedy(response: Tokens, reference: Tokens, vectors: Vectors) -> float:
    def one_way(left: Tokens, right: Tokens) -> float:
        total, count = 0.0, 0
        for word in left:
            if word in vectors:
                total += max(cosine(vectors[word], vectors[other]) for other in right if other in vectors)
                count += 1
        return total / count

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
    return np.column_stack([scores(order("current", "cumulative"), items) for order in (Bleu1, Bleu2, Bleu3, Bleu4)])


def outputs(name: str, words: list[str], rng: np.random.Generator, n_seeds: int) -> Outputs:
    """One system's answers and likelihoods."""
    seeds = {}
    for seed in range(n_seeds):
        items = Items.of([""] * PAIRS, texts(words, rng), texts(words, rng))
        nats = [rng.uniform(10, 60, PAIRS) for _ in range(4)]
        seeds[seed] = Items(
            items.vocabulary,
            items.contexts,
            items.references,
            items.responses,
            items.reference_item,
            ReferenceLikelihood(items.references.lengths + 1.0, *nats),
        )
    parts = {metric: np.stack([metric_class(metric)().parts(items) for items in seeds.values()]) for metric in OF_SUMS}
    per_item = {metric: rng.normal(size=(n_seeds, PAIRS)) for metric in PER_ITEM}
    return Outputs(name, np.arange(PAIRS), seeds, per_item, parts)


if __name__ == "__main__":
    main()
