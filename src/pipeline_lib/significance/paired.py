"""Paired tests over items: is the best system of a column significantly better than the others?

Randomisation (Noreen 1989; Riezler and Maxwell 2005): under the null hypothesis the outputs of two systems for one item
may change places. Bootstrap: items are drawn with replacement, and the differences centred (Koehn 2004). All metrics
and comparisons of a column share the same draws. A system's value is its average over seeds; an item's outputs of all
seeds change places, or are drawn, together, so seeds are not taken for items.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline_lib.config.significance import Significance
from pipeline_lib.metrics.base import Better
from pipeline_lib.metrics.intervals import interval
from pipeline_lib.metrics.named import metric_class
from pipeline_lib.significance.draws import Draws, Resamples, Swaps
from pipeline_lib.significance.outputs import Outputs
from pipeline_lib.significance.statistics import DistinctRatio, Statistic, competes, statistic_of


def compare(systems: Sequence[Outputs], settings: Significance, metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Test the best system of each column against every other.

    Returns:
        rows of `schemas.significance` without corpus and split; none for a column with fewer than two systems, or
        where neither direction is better.
    """
    if len(systems) < 2:
        return []
    n = len(systems[0].examples)
    draws = _draws(n, settings)
    rows = []
    for metric in metrics:
        better = metric_class(metric).better
        entrants = [system for system in systems if better and competes(system, metric)]
        if better and len(entrants) > 1:
            names = [system.system for system in entrants]
            lead = _test_column(statistic_of(metric, entrants), names, better, draws, settings.level)
            rows += [{"metric": metric, **row, "n": n, "method": method_of(settings)} for row in lead]
    return rows


@dataclass(frozen=True)
class Difference:
    """The difference of ``other`` from the system that all are compared with."""

    metric: str
    other: str
    difference: float  # other minus base, each averaged over seeds
    p: float
    p_adjusted: float  # Holm, over the others of this column
    significant: bool


def compare_with(
    base: Outputs, others: Sequence[Outputs], settings: Significance, metrics: Sequence[str]
) -> list[Difference]:
    """Test every other system against ``base``, column by column; a system without the metric is left out."""
    draws = _draws(len(base.examples), settings)
    rows = []
    for metric in metrics:
        entrants = [system for system in (base, *others) if competes(system, metric)]
        if len(entrants) < 2 or entrants[0] is not base:
            continue
        statistic = statistic_of(metric, entrants)
        p, adjusted = _p_values(statistic, 0, range(1, len(entrants)), draws)
        for i, other in enumerate(entrants[1:]):
            difference = statistic.observed(i + 1) - statistic.observed(0)
            significant = bool(adjusted[i] < settings.level)
            rows.append(Difference(metric, other.system, difference, float(p[i]), float(adjusted[i]), significant))
    return rows


def difference_intervals(
    base: Outputs, other: Outputs, settings: Significance, metrics: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Give the 95 % bootstrap interval, over examples, of ``other`` minus ``base`` in each metric that both have.

    Not of distinct-n: a resample says some things twice, and so has fewer different n-grams than any test set.
    """
    draws = Resamples(len(base.examples), settings.trials, settings.seed)
    intervals = {}
    for metric in metrics:
        if not (competes(base, metric) and competes(other, metric)):
            continue
        statistic = statistic_of(metric, [base, other])
        if not isinstance(statistic, DistinctRatio):
            here, there = statistic.resampled(0, 1, draws)
            intervals[metric] = interval(there - here)
    return intervals


def method_of(settings: Significance) -> str:
    """Describe the paired test in words."""
    return f"{settings.method}, {settings.trials} trials, Holm, level {settings.level:g}"


def holm(p: np.ndarray) -> np.ndarray:
    """Adjust (m,) p-values for m comparisons (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted


def _draws(n: int, settings: Significance) -> "Draws":
    return (Swaps if settings.method == "randomisation" else Resamples)(n, settings.trials, settings.seed)


def _test_column(
    statistic: Statistic, names: list[str], better: Better, draws: Draws, level: float
) -> list[dict[str, Any]]:
    values = np.array([statistic.observed(i) for i in range(len(names))])
    ranking = np.argsort(values if better == "lower" else -values, kind="stable")
    best, others = int(ranking[0]), [int(i) for i in ranking[1:]]
    p, adjusted = _p_values(statistic, best, others, draws)
    return [
        {
            "best": names[best],
            "other": names[other],
            "runner_up": other == others[0],
            "difference": float(values[best] - values[other]),
            "p": float(p[i]),
            "p_adjusted": float(adjusted[i]),
            "significant": bool(adjusted[i] < level),
        }
        for i, other in enumerate(others)
    ]


def _p_values(statistic: Statistic, first: int, others: Sequence[int], draws: Draws) -> tuple[np.ndarray, np.ndarray]:
    """Give (m,) p-values of ``first`` against each of the others, as they are and adjusted."""
    p = np.array([_p_value(statistic, first, other, draws) for other in others])
    return p, holm(p)


def _p_value(statistic: Statistic, first: int, second: int, draws: Draws) -> float:
    """Give the two-sided p-value, the observed data counted as one more trial, so that it is never 0."""
    here, there = statistic.resampled(first, second, draws)
    observed = statistic.observed(first) - statistic.observed(second)
    scatter = here - there - (0 if draws.centred else observed)
    rounding = 1e-12 + 1e-9 * abs(observed)  # equal sums in another order are not quite equal
    extreme = np.abs(scatter) >= abs(observed) - rounding
    return float((1 + extreme.sum()) / (1 + len(extreme)))
