"""Shares and means over decoded texts, with 95 % intervals over the paths, samples or sentences that were drawn.

Runs are strata: the mean is that of the runs' means, and the interval is about these trained models alone. It says
nothing of models that were not trained, of which a run is one of very few.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.metrics.intervals import LEVEL
from pipeline_lib.significance.margins import Source, margin, of_difference, of_runs

Record = Mapping[str, Any]  # a row of `schemas.decoded.DECODED` with `system` and `seed`
Runs = Sequence[NDArray[np.float64]]  # for each run a value of each item, independent draws


class Estimate(NamedTuple):
    """A mean; ``half`` its 95 % interval's half-width, None where a run has a single item."""

    mean: float
    half: float | None

    def printed(self, places: int, sign: bool = False) -> str:
        """Print the mean with its interval: ``0.93 [0.90, 0.96]``."""
        form = f"{'+' if sign else ''}.{places}f"
        shown = f"{self.mean:{form}}"
        if self.half is not None:
            shown += f" [{self.mean - self.half:{form}}, {self.mean + self.half:{form}}]"
        return shown.replace("-", "−")

    @property
    def excludes_zero(self) -> bool:
        return self.half is not None and abs(self.mean) > self.half


def item_means(rows: Iterable[Record], value: Callable[[Record], float | None]) -> Runs:
    """Average a value over the texts of each item: (items,) of each run that has any.

    Args:
        rows: of several runs or one.
        value: of a row; None where it has none. An item without any value is left out.
    """
    values: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if (found := value(row)) is not None:
            values[row["seed"]][row["item"]].append(float(found))
    return [np.array([np.mean(of_item) for of_item in items.values()]) for items in values.values()]


def estimate(runs: Runs) -> Estimate | None:
    """Estimate the mean of the runs' means; None without any run."""
    return Estimate(_mean(runs), _half(_sources(runs))) if runs else None


def difference(first: Runs, second: Runs) -> Estimate | None:
    """Estimate the difference of two such means of independent items, with Welch's interval; None if one is empty."""
    if not first or not second:
        return None
    sources = [*_sources(first), *_sources(second)]
    return Estimate(_mean(first) - _mean(second), _half(sources))


def distinct_share(rows: Sequence[Record]) -> float:
    """Return the share of different texts among the texts of a run, averaged over the runs."""
    texts: dict[int, list[str]] = defaultdict(list)
    for row in rows:
        texts[row["seed"]].append(row["text"])
    return float(np.mean([len(set(of_run)) / len(of_run) for of_run in texts.values()]))


def _mean(runs: Runs) -> float:
    return float(np.mean([items.mean() for items in runs]))


def _sources(runs: Runs) -> list[Source | None]:
    """Return what each run adds to the variance of the mean over the runs; None of a run of one item."""
    return [_scaled(of_runs(items), len(runs)) if len(items) > 1 else None for items in runs]


def _scaled(source: Source, runs: int) -> Source:
    return Source(source.variance / runs**2, source.freedom)


def _half(sources: Sequence[Source | None]) -> float | None:
    known = [source for source in sources if source is not None]
    return float(margin([reduce(of_difference, known)], 1 - LEVEL)) if len(known) == len(sources) else None
