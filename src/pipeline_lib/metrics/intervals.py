"""95 % intervals by the percentile bootstrap over dialogues, for many metrics at once."""

from collections.abc import Iterator, Sequence

import numpy as np

LEVEL = 0.95
CHUNK = 64  # resamples drawn at once: 64 x 6k items are 3 MB


def by_dialogue(values: np.ndarray, dialogue: np.ndarray) -> np.ndarray:
    """Sum (…, n, P) values of examples over each dialogue: (…, D, P), in the order of the numbers.

    Examples of one dialogue resemble each other, so whole dialogues are drawn, left out or exchanged, not examples.

    Args:
        dialogue: (n,) int64, the number of each example's dialogue.
    """
    order = np.argsort(dialogue, kind="stable")
    starts = np.flatnonzero(np.diff(dialogue[order], prepend=-1))
    return np.add.reduceat(values[..., order, :], starts, axis=-2)


def resamples(n: int, times: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Draw ``n`` things with replacement, ``times`` times: chunks (t, n) float64 of how often each is drawn."""
    for start in range(0, times, CHUNK):
        t = min(CHUNK, times - start)
        draws = rng.integers(0, n, (t, n)) + np.arange(t)[:, None] * n
        yield np.bincount(draws.ravel(), minlength=t * n).reshape(t, n).astype(np.float64)


def bootstrap_sums(parts: Sequence[np.ndarray], times: int, seed: int) -> list[np.ndarray]:
    """Sum every metric's (n, P) ``parts`` over the same resamples of the n things that they are of.

    Returns:
        per metric (times, P) float64.
    """
    stacked = np.concatenate(parts, axis=1)
    rng = np.random.default_rng(seed)
    sums = np.concatenate([weights @ stacked for weights in resamples(len(stacked), times, rng)])
    return np.split(sums, np.cumsum([part.shape[1] for part in parts])[:-1], axis=1)


def error_of_interval(low: float, high: float) -> float:
    """Compute the standard error from the ends of a 95 % interval."""
    from scipy.special import ndtri  # here: it takes a third of a second

    return float((high - low) / 2 / ndtri((1 + LEVEL) / 2))


def interval(values: np.ndarray) -> tuple[float, float]:
    """Give the central 95 % of (times,) resampled values."""
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
