"""What every metric is: a callable object with a name and a signature, from `Items` to a `Score`."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from pipeline_lib.metrics.items import Items


@dataclass(frozen=True)
class Score:
    """One metric over one set of items.

    Attributes:
        mean: the figure for tables; None where the metric is undefined for these items.
        per_item: (B,) float64, one per response; None for metrics of the whole set.
        n: examples that count in ``mean``; several responses to one example count as their average.
        n_empty: responses scored 0 because a side has nothing to compare.
        n_oov: responses scored 0 because a side has words, but none with a vector.
    """

    mean: float | None
    per_item: np.ndarray | None
    n: int
    n_empty: int = 0
    n_oov: int = 0

    @classmethod
    def of_items(cls, items: Items, per_item: np.ndarray, n_empty: int = 0, n_oov: int = 0) -> "Score":
        """The average over examples of (B,) values of the responses; undefined when there is none."""
        mean = float(items.by_example(per_item).mean()) if len(per_item) else None
        return cls(mean, per_item.astype(np.float64, copy=False), items.n_examples, n_empty, n_oov)


@runtime_checkable
class Metric(Protocol):
    """A metric, with its settings in ``signature``: ``name|setting:value|…|v:1``."""

    @property
    def name(self) -> str: ...

    @property
    def signature(self) -> str: ...

    def __call__(self, items: Items) -> Score: ...


@runtime_checkable
class RatioMetric(Metric, Protocol):
    """A metric of the whole set that depends on its items only through sums, so it can be resampled by example."""

    def parts(self, items: Items) -> np.ndarray | None:
        """(n, P) float64, what each example adds to the sums; None where the metric is undefined."""
        ...

    def value(self, sums: np.ndarray) -> np.ndarray:
        """(…, P) sums to (…) values of the metric."""
        ...
