"""Comparisons of systems: is a difference larger than other training runs and other items would make it?

A system is known by a few training runs, which answer the same items. The variance of a difference is that between
the runs of either system, which are independent whatever their seeds, plus that over the items' dialogues, which both
systems share. Where there is no spread between runs to count, as with one seed, nothing can be said of systems. The
paired test over dialogues takes its place, and says that it is about these models.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pipeline_lib.config.significance import Between, Significance
from pipeline_lib.metrics.base import Better
from pipeline_lib.metrics.named import metric_class
from pipeline_lib.significance.draws import Draws
from pipeline_lib.significance.margins import Source, of_difference, of_runs, p_value
from pipeline_lib.significance.outputs import Outputs
from pipeline_lib.significance.paired import draws_of, paired_p
from pipeline_lib.significance.statistics import Statistic, competes, statistic_of


@dataclass(frozen=True)
class Comparison:
    """One system against another in one column."""

    difference: float  # first minus second, each averaged over runs
    runs: int  # of each system
    se_runs: float | None  # standard error of the difference from the spread between runs; None: there is none
    se_items: float  # standard error of the difference from the items
    freedom: float | None  # degrees of freedom of ``se_runs``
    p: float  # two-sided, not corrected
    between: Between
    method: str


@dataclass(frozen=True)
class Difference:
    """The comparison of ``other`` with the system that all are compared with."""

    metric: str
    other: str
    comparison: Comparison  # its difference is other minus base


class Trials:
    """The draws of ``n`` dialogues that all columns share, made when first needed."""

    def __init__(self, n: int, settings: Significance) -> None:
        self.n, self.method = n, f"paired test over dialogues, {settings.method}, {settings.trials} trials"
        self._settings = settings

    @cached_property
    def draws(self) -> Draws:
        return draws_of(self.n, self._settings)


class Column:
    """One metric of all systems that compete in it."""

    def __init__(self, statistic: Statistic, systems: int, trials: Trials) -> None:
        self.statistic, self._trials = statistic, trials
        self.runs = [statistic.runs(i) for i in range(systems)]
        self._without = [statistic.without_each(i) if trials.n > 1 else np.zeros(1) for i in range(systems)]

    def compare(self, first: int, second: int) -> Comparison:
        """Compare two systems, by their runs and items where the runs of either differ, else by the items alone."""
        here, there = self.runs[first], self.runs[second]
        difference, items = float(here.mean() - there.mean()), self._of_items(first, second)
        se_items = float(np.sqrt(items.variance))
        if not (np.ptp(here) or np.ptp(there)):
            p, method = paired_p(self.statistic, first, second, self._trials.draws), self._trials.method
            return Comparison(difference, len(here), None, se_items, None, p, "models", method)
        runs = of_difference(of_runs(here), of_runs(there))
        se_runs, freedom = float(np.sqrt(runs.variance)), float(runs.freedom)
        p, method = float(p_value(difference, [runs, items])), method_over_runs(len(here))
        return Comparison(difference, len(here), se_runs, se_items, freedom, p, "systems", method)

    def _of_items(self, first: int, second: int) -> Source:
        """Estimate the variance of the difference over the items by the jackknife, which leaves out whole dialogues.

        It errs upwards, if at all (Efron and Stein 1981), and counts what a dialogue does in one run alone here too,
        which is already in the spread between runs.
        """
        n = self._trials.n
        if n < 2:
            return Source(np.inf, 1)
        differences = self._without[first] - self._without[second]
        return Source(float((n - 1) * differences.var()), n - 1)


def compare(systems: Sequence[Outputs], settings: Significance, metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Compare the best system of each column with every other.

    Returns:
        rows of `schemas.significance` without corpus and split; none for a column with fewer than two systems, or
        where neither direction is better.
    """
    if len(systems) < 2:
        return []
    trials = Trials(_dialogues(systems[0]), settings)
    rows = []
    for metric in metrics:
        better = metric_class(metric).better
        entrants = [system for system in systems if better and competes(system, metric)]
        if better and len(entrants) > 1:
            column = Column(statistic_of(metric, entrants), len(entrants), trials)
            lead = _lead(column, [system.system for system in entrants], better)
            rows += [{"metric": metric, **row, "n": len(systems[0].examples)} for row in lead]
    return rows


def compare_with(
    base: Outputs, others: Sequence[Outputs], settings: Significance, metrics: Sequence[str]
) -> list[Difference]:
    """Compare every other system with ``base``, column by column; a system without the metric is left out."""
    trials = Trials(_dialogues(base), settings)
    rows = []
    for metric in metrics:
        entrants = [system for system in (base, *others) if competes(system, metric)]
        if len(entrants) < 2 or entrants[0] is not base:
            continue
        column = Column(statistic_of(metric, entrants), len(entrants), trials)
        rows += [Difference(metric, other.system, column.compare(i, 0)) for i, other in enumerate(entrants[1:], 1)]
    return rows


def method_over_runs(runs: int) -> str:
    """Describe the test that counts training runs."""
    return f"Welch's t over {runs} runs of each system, joined with the jackknife over dialogues"


def _dialogues(system: Outputs) -> int:
    return len(np.unique(system.dialogues))


def _lead(column: Column, names: list[str], better: Better) -> list[dict[str, Any]]:
    values = np.array([runs.mean() for runs in column.runs])
    ranking = np.argsort(values if better == "lower" else -values, kind="stable")
    best, others = int(ranking[0]), [int(i) for i in ranking[1:]]
    return [
        {"best": names[best], "other": names[other], "runner_up": other == others[0]}
        | vars(column.compare(best, other))
        for other in others
    ]
