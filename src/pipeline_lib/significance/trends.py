"""Does a value change with a setting? The trend over runs at several values of it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_FEWEST = 3  # settings: a line through two leaves nothing that could contradict it


class Trend(NamedTuple):
    """A straight line through the values of all runs."""

    slope: float  # change of the value for a change of the setting by 1
    p: float  # of a slope of 0, two-sided, not corrected


def trend(settings: Sequence[float], values: Sequence[float]) -> Trend | None:
    """Test whether the values of N independent runs rise or fall with a setting (t test of the slope, N - 2 degrees).

    A curve that is no line adds to the scatter, so the test errs on the side of no trend. Runs are the only source of
    variance: that each setting is one data set, and could have been another one, is not counted.

    Args:
        settings: (N,) setting of each run.
        values: (N,) value of each run.
    Returns:
        None with fewer than three settings or where no run differs from another.
    """
    from scipy import stats

    if len(set(settings)) < _FEWEST or np.ptp(values) == 0:
        return None
    line = stats.linregress(settings, values)
    return Trend(float(line.slope), float(line.pvalue))
