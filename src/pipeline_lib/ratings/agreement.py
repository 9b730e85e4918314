"""Agreement of raters. Raters are rows, what they rated (responses) are columns, NaN where one gave no answer."""

from collections.abc import Callable
from itertools import combinations
from typing import Literal

import numpy as np


def correlation(values: np.ndarray, kind: Literal["pearson", "spearman"]) -> tuple[float | None, int]:
    """Correlate two raters over what both rated, averaged over all pairs of raters.

    Args:
        values: (raters, units) float64.
    Returns:
        The mean, None where no pair has one (fewer than two common units, or a rater who always answers the same);
        the number of pairs in it.
    """
    from scipy import stats  # here: a table without ratings needs no scipy

    of: dict[str, Callable[..., tuple[float, float]]] = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}
    found = []
    for first, second in combinations(values, 2):
        both = ~np.isnan(first) & ~np.isnan(second)
        if min(len(np.unique(rater[both])) for rater in (first, second)) > 1:
            found.append(float(of[kind](first[both], second[both])[0]))
    return (float(np.mean(found)) if found else None), len(found)


def fleiss_kappa(values: np.ndarray) -> float | None:
    """Return the kappa of Fleiss (1971) of (raters, units) float64, over the units that all raters rated.

    None where there are fewer than two raters or no such unit, and where all answers are the same.
    """
    rated = values[:, ~np.isnan(values).any(axis=0)]
    answers = np.unique(rated)
    if len(rated) < 2 or len(answers) < 2:
        return None
    counts = (rated[..., None] == answers).sum(axis=0)  # (units, answers)
    raters = len(rated)
    agreed = (counts * (counts - 1)).sum(axis=1) / (raters * (raters - 1))
    by_chance = float(np.square(counts.mean(axis=0) / raters).sum())
    return (float(agreed.mean()) - by_chance) / (1 - by_chance)


def krippendorff_alpha(values: np.ndarray, level: Literal["ordinal", "nominal"]) -> float | None:
    """Return Krippendorff's alpha (2011) of (raters, units) float64; None where it is undefined.

    It is undefined where no unit has two answers, and where all answers are the same.
    """
    import krippendorff

    paired = values[:, (~np.isnan(values)).sum(axis=0) > 1]
    if len(np.unique(paired[~np.isnan(paired)])) < 2:
        return None
    return float(krippendorff.alpha(reliability_data=paired, level_of_measurement=level))
