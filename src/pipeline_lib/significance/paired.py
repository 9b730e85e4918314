"""Paired tests over dialogues: do two sets of trained models differ on more of them than chance lets them?

Randomisation (Noreen 1989; Riezler and Maxwell 2005): under the null hypothesis the outputs of two systems for one
dialogue may change places. Bootstrap: dialogues are drawn with replacement, and the differences centred (Koehn 2004).
All metrics and comparisons of a column share the same draws. A system's value is its average over seeds. The outputs of
all seeds for all examples of a dialogue change places, or are drawn, together: neither seeds nor examples of one
dialogue are taken for independent.

These tests are about the models that answered, not about their systems: a system tested against itself with another
seed passes them most of the time.
"""

from collections.abc import Sequence

import numpy as np

from pipeline_lib.config.significance import Significance
from pipeline_lib.metrics.intervals import interval
from pipeline_lib.significance.draws import Draws, Resamples, Swaps
from pipeline_lib.significance.outputs import Outputs
from pipeline_lib.significance.statistics import DistinctRatio, Statistic, competes, statistic_of


def draws_of(n: int, settings: Significance) -> Draws:
    """Make the draws of ``n`` dialogues that the settings name."""
    return (Swaps if settings.method == "randomisation" else Resamples)(n, settings.trials, settings.seed)


def paired_p(statistic: Statistic, first: int, second: int, draws: Draws) -> float:
    """Give the two-sided p-value, the observed data counted as one more trial, so that it is never 0."""
    here, there = statistic.resampled(first, second, draws)
    observed = float(statistic.runs(first).mean() - statistic.runs(second).mean())
    scatter = here - there - (0 if draws.centred else observed)
    rounding = 1e-12 + 1e-9 * abs(observed)  # equal sums in another order are not quite equal
    extreme = np.abs(scatter) >= abs(observed) - rounding
    return float((1 + extreme.sum()) / (1 + len(extreme)))


def difference_intervals(
    base: Outputs, other: Outputs, settings: Significance, metrics: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Give the 95 % bootstrap interval, over dialogues, of ``other`` minus ``base`` in each metric that both have.

    Not of distinct-n: a resample says some things twice, and so has fewer different n-grams than any test set.
    """
    draws = Resamples(len(np.unique(base.dialogues)), settings.trials, settings.seed)
    intervals = {}
    for metric in metrics:
        if not (competes(base, metric) and competes(other, metric)):
            continue
        statistic = statistic_of(metric, [base, other])
        if not isinstance(statistic, DistinctRatio):
            here, there = statistic.resampled(0, 1, draws)
            intervals[metric] = interval(there - here)
    return intervals
