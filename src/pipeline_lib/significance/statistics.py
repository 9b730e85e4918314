"""Values of a column for each run, without each dialogue in turn, and for any resampled set of dialogues."""

from collections.abc import Sequence
from itertools import islice
from typing import Any, Protocol

import numpy as np

from pipeline_lib.metrics.base import RatioMetric
from pipeline_lib.metrics.distinct import Distinct
from pipeline_lib.metrics.intervals import by_dialogue
from pipeline_lib.metrics.named import metric_class
from pipeline_lib.metrics.ngrams import ngram_ids
from pipeline_lib.significance.draws import Draws, Occurrences
from pipeline_lib.significance.outputs import Outputs
from pipeline_lib.text.ragged import Ragged


class Statistic(Protocol):
    """A column's value, per run, and what it would be with other dialogues."""

    def runs(self, system: int) -> np.ndarray:
        """Give (S,) values, one for each run."""
        ...

    def without_each(self, system: int) -> np.ndarray:
        """Give (D,) values without each dialogue in turn, averaged over runs: the jackknife."""
        ...

    def resampled(self, first: int, second: int, draws: "Draws") -> tuple[np.ndarray, np.ndarray]:
        """Give (trials,) values of both systems."""
        ...


class Sums:
    """A value that depends on the items through sums, per seed: means, perplexities, corpus BLEU."""

    def __init__(self, parts: list[np.ndarray], value: Any, dialogue: np.ndarray) -> None:
        self.parts = [by_dialogue(own, dialogue) for own in parts]  # per system (S, D, P) float64
        self.value = value  # (…, P) -> (…)

    def runs(self, system: int) -> np.ndarray:
        return np.asarray(self.value(self.parts[system].sum(axis=1)))

    def without_each(self, system: int) -> np.ndarray:
        return np.mean([self.value(parts.sum(axis=0) - parts) for parts in self.parts[system]], axis=0)

    def resampled(self, first: int, second: int, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        seeds = [draws.sums(a, b) for a, b in zip(self.parts[first], self.parts[second], strict=True)]
        here, there = (np.mean([self.value(pair[side]) for pair in seeds], axis=0) for side in (0, 1))
        return here, there


class DistinctRatio:
    """distinct-n: n-grams are counted again after every draw, which sums cannot do."""

    def __init__(self, responses: list[list[Ragged]], tokens: int, order: int, dialogue: np.ndarray) -> None:
        self.responses, self.tokens, self.order = responses, tokens, order  # responses: per system, per seed
        self._dialogue, self._dialogues = dialogue, int(dialogue.max()) + 1

    def runs(self, system: int) -> np.ndarray:
        ratios = []
        for texts in self.responses[system]:
            grams = ngram_ids(texts, self.order, self.tokens)[0]
            ratios.append(len(np.unique(grams)) / max(len(grams), 1))
        return np.array(ratios)

    def without_each(self, system: int) -> np.ndarray:
        return np.mean([self._without_each(texts) for texts in self.responses[system]], axis=0)

    def _without_each(self, texts: Ragged) -> np.ndarray:
        """Count again without the n-grams that one dialogue alone has."""
        grams, text, _ = ngram_ids(texts, self.order, self.tokens)
        gram, owner = np.divmod(np.unique(grams * self._dialogues + self._dialogue[text]), self._dialogues)
        kinds, first, dialogues = np.unique(gram, return_index=True, return_counts=True)
        lost = np.bincount(owner[first[dialogues == 1]], minlength=self._dialogues)
        return np.asarray((len(kinds) - lost) / np.maximum(len(grams) - self._sizes(texts)[:, 0], 1))

    def resampled(self, first: int, second: int, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        here, there = [], []
        for a, b in zip(self.responses[first], self.responses[second], strict=True):
            kinds = draws.kinds(Occurrences.of(a, b, self.order, self.tokens, self._dialogue))
            totals = draws.sums(self._sizes(a), self._sizes(b))
            here.append(kinds[0] / np.maximum(totals[0][:, 0], 1))
            there.append(kinds[1] / np.maximum(totals[1][:, 0], 1))
        return np.mean(here, axis=0), np.mean(there, axis=0)

    def _sizes(self, texts: Ragged) -> np.ndarray:
        return by_dialogue(np.maximum(texts.lengths - self.order + 1, 0).astype(np.float64)[:, None], self._dialogue)


def statistic_of(metric: str, systems: Sequence[Outputs]) -> Statistic:
    """Prepare a column for resampling; ``systems`` are those that compete in it."""
    kind, dialogue = metric_class(metric), systems[0].dialogues
    if issubclass(kind, Distinct):
        return _distinct(kind.order, systems)
    if issubclass(kind, RatioMetric):
        return Sums([system.parts[metric] for system in systems], kind().value, dialogue)
    return Sums([_counted(s.per_item[metric]) for s in systems], lambda sums: sums[..., 0] / sums[..., 1], dialogue)


def _counted(values: np.ndarray) -> np.ndarray:
    """Turn (S, n) values into (S, n, 2) parts of their means: value and count."""
    return np.stack([values, np.ones_like(values)], axis=-1)


def _distinct(order: int, systems: Sequence[Outputs]) -> DistinctRatio:
    """Number the tokens of every run from one vocabulary."""
    runs = [items for system in systems for items in system.seeds.values()]
    every: dict[str, int] = {}
    renumbered = []
    for items in runs:
        to = np.array([every.setdefault(token, len(every)) for token in items.vocabulary.to_pylist()], np.int64)
        renumbered.append(Ragged(to[items.responses.ids], items.responses.offsets))
    own = iter(renumbered)
    responses = [list(islice(own, len(system.seeds))) for system in systems]
    return DistinctRatio(responses, len(every), order, systems[0].dialogues)


def competes(system: Outputs, metric: str) -> bool:
    """Tell whether a system enters a column: it has the metric, and its value there compares with the others'.

    A value of the whole set that no sums make, such as the groups' agreement, has no test.
    """
    kind = metric_class(metric)
    is_tested = issubclass(kind, Distinct) or metric in system.per_item or metric in system.parts
    return is_tested and all(kind.competes(items) for items in system.seeds.values())
