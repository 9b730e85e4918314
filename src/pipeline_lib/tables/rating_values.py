"""Values of human judgement: ranks, means over raters, and tests between the systems over the rated items."""

from typing import Literal

import numpy as np

from pipeline_lib.metrics.base import Better
from pipeline_lib.significance.families import holm
from pipeline_lib.tables.cells import Change

_ROUNDING = 1e-9  # differences of means over raters that are equal but for rounding are closer


def ranks(values: np.ndarray, ties: Literal["average", "min"]) -> np.ndarray:
    """Rank within each item, 1 for the smallest of the last axis; an item with NaN is NaN throughout.

    Raters mark ties in several ways (1 2 2 3, 1 2 2 4, 2 3 3 5); only the order that they meant counts.

    Args:
        values: (..., systems) float64.
        ties: average: 1, 2.5, 2.5, 4, so that places always have the same sum; min: 1, 2, 2, 4.
    """
    from scipy.stats import rankdata

    return np.asarray(rankdata(values, method=ties, axis=-1, nan_policy="propagate"), dtype=np.float64)


def over_raters(values: np.ndarray) -> np.ndarray:
    """Average over the raters of an item: (raters, items, systems) to (rated items, systems)."""
    rated = ~np.isnan(values).all(axis=(0, 2))
    return np.asarray(np.nanmean(values[:, rated], axis=0))


def paired_tests(items: np.ndarray, better: Better, level: float) -> tuple[int, list[Change]]:
    """Test the best system against every other: Wilcoxon's signed-rank test over items, Holm's correction.

    Args:
        items: (items, systems) float64, two systems at least.
    Returns:
        column of the best system; for each system its distance from the best (that of the best itself is 0, untested).
    """
    from scipy.stats import wilcoxon

    means = items.mean(axis=0)
    best = int(np.argmin(means) if better == "lower" else np.argmax(means))
    others = [i for i in range(len(means)) if i != best]
    # the test is undefined where every item is tied
    raw = [
        wilcoxon(items[:, i], items[:, best]).pvalue if (items[:, i] != items[:, best]).any() else 1.0 for i in others
    ]
    adjusted = dict(zip(others, holm(np.array(raw)), strict=True))
    changes = [Change(0.0)] * len(means)
    for i in others:
        p = float(adjusted[i])
        changes[i] = Change(float(means[i] - means[best]), p, p < level, between="models")
    return best, changes


def paired_t(items: np.ndarray, best: int) -> list[float | None]:
    """Test the best system against every other: two-tailed paired t-test over items, Holm's correction.

    Args:
        items: (items, systems) float64, two systems at least.
        best: column of the best system.
    Returns:
        Adjusted p of each system; None for the best, and where all items differ alike, of which t is undefined.
    """
    from scipy.stats import ttest_rel

    spread = np.ptp(items - items[:, [best]], axis=0)
    others = [i for i in range(items.shape[1]) if i != best]
    varies = spread > _ROUNDING
    raw = [ttest_rel(items[:, i], items[:, best]).pvalue if varies[i] else 1.0 for i in others]
    adjusted = dict(zip(others, holm(np.array(raw)).tolist(), strict=True))
    return [adjusted[i] if i != best and varies[i] else None for i in range(items.shape[1])]
