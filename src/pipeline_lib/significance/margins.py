"""Margins of estimates whose variance has several independent sources, such as training runs and items.

The squared margin is the sum of the sources' squared margins, each with its own t quantile. Its coverage is at least
that of the worst source, whatever the variances are (Banerjee 1960): the chi-square distribution function is concave.
Satterthwaite's joint degrees of freedom give less: two runs that happen to agree leave the items, which are many, in
charge of the quantile.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from pipeline_lib.metrics.intervals import LEVEL

Number: TypeAlias = float | np.ndarray

_LEAST = 1e-300  # no p-value is given below this
_HALVINGS = 60  # of the interval of log p: to about 1e-15 of its width


class Source(NamedTuple):
    """One independent source of an estimate's variance."""

    variance: Number
    freedom: Number = np.inf  # degrees of freedom of ``variance``; inf where it is known


def of_runs(values: np.ndarray) -> Source:
    """Estimate the variance of the mean over runs: (..., S) values of S runs, two at least."""
    runs = values.shape[-1]
    return Source(values.var(axis=-1, ddof=1) / runs, runs - 1)


def of_difference(first: Source, second: Source) -> Source:
    """Join the runs' variances of two independent means, with Welch's degrees of freedom (1947)."""
    variance = np.asarray(first.variance + second.variance)
    parts = np.square(first.variance) / first.freedom + np.square(second.variance) / second.freedom
    least, most = np.minimum(first.freedom, second.freedom), first.freedom + second.freedom
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = np.where(variance > 0, np.square(variance) / parts, most)
    return Source(variance, np.clip(freedom, least, most))


def margin(sources: Sequence[Source], p: Number) -> np.ndarray:
    """Return the half-width of the two-sided interval that leaves out a share ``p``."""
    from scipy.special import stdtrit  # here: it takes a third of a second

    squared: Number = 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # of a p near 0: beyond every difference
        for variance, freedom in sources:
            of_source = np.square(stdtrit(freedom, np.asarray(p) / 2)) * variance
            squared = squared + np.where(np.asarray(variance) == 0, 0, of_source)
    return np.sqrt(np.asarray(squared))


def half_interval(values: np.ndarray, errors: np.ndarray) -> float:
    """Return half the 95 % interval of the mean of S runs that answer the same items.

    Args:
        values: (S,) values, one for each run.
        errors: (S,) standard errors over the items. They are not divided by S, since no run brings items of its own.
    """
    of_items = Source(float(np.square(errors).mean()))
    return float(margin([of_items, of_runs(values)] if len(values) > 1 else [of_items], 1 - LEVEL))


def p_value(difference: Number, sources: Sequence[Source]) -> np.ndarray:
    """Return the two-sided p: the share that the interval leaves out whose margin just reaches 0.

    Args:
        difference: any shape, which the variances of ``sources`` share.
    """
    distance = np.abs(difference)
    low, high = np.full_like(distance, np.log(_LEAST), np.float64), np.zeros_like(distance, np.float64)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        is_wider = ~(margin(sources, np.exp(middle)) < distance)  # of what is no number, too: it shows nothing
        low, high = np.where(is_wider, middle, low), np.where(is_wider, high, middle)
    return np.exp(high)
