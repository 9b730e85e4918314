"""Metrics: classes with a name, a signature and the facts that tables, tests and the page state about them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipeline_lib.config.metrics import Metrics
from pipeline_lib.metrics.items import Items

if TYPE_CHECKING:
    from pipeline_lib.vectors.space import VectorSpace

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Score:
    """One metric over one set of items.

    Attributes:
        mean: the value for tables; None where the metric is undefined for these items.
        per_item: (B,) float64, one per response; None for metrics of the whole set.
        n: examples that count in ``mean``; several responses to one example count as their average.
        n_empty: responses scored 0 because a side has nothing to compare.
        n_oov: responses scored 0 because a side has words, but none with a vector. With several references, both
            numbers include the responses that are scored by the others alone, such a reference being left out.
        parts: (n, P) float64, what each example adds to the sums of a `RatioMetric`; None for others.
    """

    mean: float | None
    per_item: np.ndarray | None
    n: int
    n_empty: int = 0
    n_oov: int = 0
    parts: np.ndarray | None = None

    @classmethod
    def of_items(cls, items: Items, per_item: np.ndarray, n_empty: int = 0, n_oov: int = 0) -> "Score":
        """Average (B,) values of the responses over examples; undefined when there is none."""
        mean = float(items.by_example(per_item).mean()) if len(per_item) else None
        return cls(mean, per_item.astype(np.float64, copy=False), items.n_examples, n_empty, n_oov)


class Metric(ABC):
    """Base of every metric: its facts, and the call from `Items` to a `Score`.

    Attributes:
        name: in tables, files and configuration; the class is in the module of that name (`stage.kinds`).
        meaning: one plain sentence.
        better: None where neither direction is better; no system then leads the column.
        fewer_digits: decimals that it needs less than a ratio below 1.
        caution: what a reader of a table must know before comparing values; empty where nothing.
        by_item: of a metric of the whole set, the metric that shows its items one by one; empty: itself. `repeats`
            is counted by the page.
        of_responses: false for metrics of likelihoods and latent variables, which need no response.
        of_draws: true for metrics that depend on `decoding.importance_samples`.
        of_references: true for metrics that compare a response with its references, of which there may be several.
        several: what the signature adds where responses have several references.
        signature: name and settings: ``name|setting:value|…|v:1``.
    """

    name: str
    meaning: str
    better: Better | None = None
    fewer_digits: int = 0
    caution: str = ""
    by_item: str = ""
    of_responses: bool = True
    of_draws: bool = False
    of_references: bool = False
    several: str = "references:several"
    signature: str

    @classmethod
    def make(cls, settings: Metrics, vectors: "VectorSpace | None", language: str | None) -> "Metric":
        """Make the metric with the settings of a run, the vectors of a corpus and the language of its stop words."""
        return cls()

    def companions(self) -> Sequence["Metric"]:
        """Name the metrics that are always recorded with this one."""
        return ()

    @abstractmethod
    def __call__(self, items: Items) -> Score:
        """Score the items."""

    @classmethod
    def competes(cls, items: Items) -> bool:
        """Tell whether a system with these items may be compared with others by this metric."""
        return not items.apart and (items.answered or not cls.of_responses)


class MeanNats(Metric):
    """The mean of what a model tells of each example, in nats; undefined for a system that does not tell it.

    Attributes:
        nats_of: the field of `items.ReferenceLikelihood`.
    """

    fewer_digits = 1
    of_responses = False
    nats_of: str

    def __call__(self, items: Items) -> Score:
        nats = None if items.likelihood is None else getattr(items.likelihood, self.nats_of)
        return Score(None, None, items.n_examples) if nats is None else Score.of_items(items, nats)


class RatioMetric(Metric):
    """A metric of the whole set that depends on its items only through sums, so it can be resampled by example.

    It is made without settings.
    """

    def __call__(self, items: Items) -> Score:
        parts = self.parts(items)
        value = None if parts is None else float(self.value(parts.sum(axis=0)))
        return Score(value, None, items.n_examples, parts=parts)

    @abstractmethod
    def parts(self, items: Items) -> np.ndarray | None:
        """Give (n, P) float64, what each example adds to the sums; None where the metric is undefined."""

    @abstractmethod
    def value(self, sums: np.ndarray) -> np.ndarray:
        """Turn (…, P) sums into (…) values of the metric."""


class MeanOfSome(RatioMetric):
    """A mean over the examples that count; its ``parts`` are (n, 2): the value and 1, or 0 and 0."""

    def __call__(self, items: Items) -> Score:
        parts = self.parts(items)
        if parts is None or not parts[:, 1].any():
            return Score(None, None, items.n_examples)
        return Score(float(self.value(parts.sum(0))), None, int(parts[:, 1].sum()), parts=parts)

    def value(self, sums: np.ndarray) -> np.ndarray:
        """Turn (…, 2) sums into (…) means; 0 where nothing counts."""
        return np.divide(sums[..., 0], sums[..., 1], out=np.zeros_like(sums[..., 0]), where=sums[..., 1] > 0)
