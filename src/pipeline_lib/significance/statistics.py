"""Values of a column for any resampled set of items."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from pipeline_lib.metrics.base import RatioMetric
from pipeline_lib.metrics.corpus_bleu import CorpusBleu
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.ngrams import ngram_ids
from pipeline_lib.metrics.perplexity import Perplexity, is_latent
from pipeline_lib.significance.draws import Draws, Occurrences
from pipeline_lib.significance.outputs import Outputs
from pipeline_lib.text.ragged import Ragged

RATIOS: dict[str, RatioMetric] = {
    metric.name: metric
    for metric in (Perplexity("reconstruction"), Perplexity("bound"), Perplexity("importance"), CorpusBleu())
}


class Statistic(Protocol):
    """A column's figure for any resampled set of items."""

    def observed(self, system: int) -> float: ...

    def resampled(self, first: int, second: int, draws: "Draws") -> tuple[np.ndarray, np.ndarray]:
        """(trials,) figures of both systems."""
        ...


class Sums:
    """A figure that depends on the items through sums, per seed: means, perplexities, corpus BLEU."""

    def __init__(self, parts: list[np.ndarray], value: Any) -> None:
        self.parts = parts  # per system (K, n, P) float64
        self.value = value  # (…, P) -> (…)

    def observed(self, system: int) -> float:
        return float(self.value(self.parts[system].sum(axis=1)).mean())

    def resampled(self, first: int, second: int, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        seeds = [draws.sums(a, b) for a, b in zip(self.parts[first], self.parts[second], strict=True)]
        here, there = (np.mean([self.value(pair[side]) for pair in seeds], axis=0) for side in (0, 1))
        return here, there


class DistinctRatio:
    """distinct-n: n-grams are counted again after every draw, which sums cannot do."""

    def __init__(self, responses: list[list[Ragged]], tokens: int, order: int) -> None:
        self.responses, self.tokens, self.order = responses, tokens, order  # responses: per system, per seed

    def observed(self, system: int) -> float:
        ratios = []
        for texts in self.responses[system]:
            grams = ngram_ids(texts, self.order, self.tokens)[0]
            ratios.append(len(np.unique(grams)) / max(len(grams), 1))
        return float(np.mean(ratios))

    def resampled(self, first: int, second: int, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        here, there = [], []
        for a, b in zip(self.responses[first], self.responses[second], strict=True):
            kinds = draws.kinds(Occurrences.of(a, b, self.order, self.tokens))
            totals = draws.sums(self._sizes(a), self._sizes(b))
            here.append(kinds[0] / np.maximum(totals[0][:, 0], 1))
            there.append(kinds[1] / np.maximum(totals[1][:, 0], 1))
        return np.mean(here, axis=0), np.mean(there, axis=0)

    def _sizes(self, texts: Ragged) -> np.ndarray:
        return np.maximum(texts.lengths - self.order + 1, 0).astype(np.float64)[:, None]


def statistic_of(metric: str, systems: Sequence[Outputs]) -> Statistic:
    if metric.startswith("distinct-"):
        return _distinct(int(metric.removeprefix("distinct-")), systems)
    if metric in RATIOS:
        ratio = RATIOS[metric]
        return Sums([np.stack([_parts(ratio, items) for items in s.seeds.values()]) for s in systems], ratio.value)
    n = len(systems[0].examples)
    return Sums([s.per_item[metric][None, :, None] for s in systems], lambda sums: sums[..., 0] / n)


def _parts(ratio: RatioMetric, items: Items) -> np.ndarray:
    parts = ratio.parts(items)
    if parts is None:
        raise ValueError(f"{ratio.name} of a system that has none")
    return parts


def _distinct(order: int, systems: Sequence[Outputs]) -> DistinctRatio:
    """Token ids of every run, on one vocabulary."""
    runs = [items for system in systems for items in system.seeds.values()]
    every: dict[str, int] = {}
    renumbered = []
    for items in runs:
        to = np.array([every.setdefault(token, len(every)) for token in items.vocabulary.to_pylist()], np.int64)
        renumbered.append(Ragged(to[items.responses.ids], items.responses.offsets))
    seeds = len(systems[0].seeds)
    return DistinctRatio([renumbered[i : i + seeds] for i in range(0, len(runs), seeds)], len(every), order)


def competes(system: Outputs, metric: str) -> bool:
    """Whether a system enters a column: it has the metric, and its figure there compares with the others'.

    Reconstruction ppl is for latent systems alone. distinct-n falls with the number of responses: one to each example.
    """
    if metric.startswith("distinct-"):
        return all(len(items) == len(system.examples) for items in system.seeds.values())
    if metric not in RATIOS:
        return metric in system.per_item
    if any(RATIOS[metric].parts(items) is None for items in system.seeds.values()):
        return False
    latent = all(items.likelihood is not None and is_latent(items.likelihood) for items in system.seeds.values())
    return metric != "ppl" or latent
