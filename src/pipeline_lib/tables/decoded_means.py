"""Shares and means over decoded texts, with 95 % intervals over the paths, samples or sentences that were drawn."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.metrics.intervals import LEVEL
from pipeline_lib.significance.margins import margin, of_difference, of_runs

Record = Mapping[str, Any]  # a row of `schemas.decoded.DECODED` with `system` and `seed`


class Estimate(NamedTuple):
    """A mean over independent items; ``half`` its 95 % interval's half-width, None of a single item."""

    mean: float
    half: float | None
    items: int

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


def item_means(rows: Iterable[Record], value: Callable[[Record], float | None]) -> NDArray[np.float64]:
    """Average a value over the texts of each item, (items,); an item without any value is left out.

    Args:
        rows: of several runs or one; the items of two runs are different items.
        value: of a row; None where it has none.
    """
    values: dict[tuple[int, int], list[float]] = defaultdict(list)
    for row in rows:
        if (found := value(row)) is not None:
            values[row["seed"], row["item"]].append(float(found))
    return np.array([np.mean(of_item) for of_item in values.values()])


def estimate(means: NDArray[np.float64]) -> Estimate | None:
    """Estimate the mean from that of each item, (items,); None of no items.

    The items are independent draws, so that the interval is Student's. Nothing is said about runs that were not made.
    """
    if not len(means):
        return None
    half = float(margin([of_runs(means)], 1 - LEVEL)) if len(means) > 1 else None
    return Estimate(float(means.mean()), half, len(means))


def difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> Estimate | None:
    """Estimate mean(``first``) - mean(``second``) of independent items, with Welch's interval; None if one is empty."""
    if not len(first) or not len(second):
        return None
    half = None
    if len(first) > 1 and len(second) > 1:
        half = float(margin([of_difference(of_runs(first), of_runs(second))], 1 - LEVEL))
    return Estimate(float(first.mean() - second.mean()), half, len(first) + len(second))


def distinct_share(rows: Sequence[Record]) -> float:
    """Return the share of different texts among the texts of a run, averaged over the runs."""
    texts: dict[int, list[str]] = defaultdict(list)
    for row in rows:
        texts[row["seed"]].append(row["text"])
    return float(np.mean([len(set(of_run)) / len(of_run) for of_run in texts.values()]))
