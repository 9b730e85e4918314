"""Simulate how often the tests and intervals of the tables err, beside forms that were not chosen.

    cd tests && python -m numerics.simulated

prints the tables of docs/significance.md in half a minute. The unit is the standard error of one system's value over
the items. Two systems answer the same items, and half of that variance is common to both, so the error of their
difference over the items is 1, too. `seed sd` is the standard deviation between training runs in this unit.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from pipeline_lib.metrics.intervals import LEVEL
from pipeline_lib.significance.margins import Source, margin, of_difference, of_runs

RUNS = (2, 3, 5)
RATIOS = (0.3, 1, 2, 3, 5)  # seed sd; 2 to 5 were measured for most metrics
LEADS = (1, 2, 4, 8)  # in seed sds
SYSTEMS, ITEMS = 8, 1000
ALPHA = 0.05
Reject = Callable[["Drawn"], np.ndarray]


class Drawn(NamedTuple):
    """Results of R repetitions of two systems, or of one beside the truth."""

    difference: np.ndarray  # (R,)
    runs: list[np.ndarray]  # for each system (R, S) values
    items: np.ndarray  # (R,) estimated variance of the difference over items


def values(generator: np.random.Generator, repeats: int, runs: int, seed_sds: Sequence[float]) -> np.ndarray:
    """Draw (R, K, S) values of K equal systems whose runs have these standard deviations."""
    of_runs = generator.normal(size=(repeats, len(seed_sds), runs)) * np.array(seed_sds)[:, None]
    of_items = generator.normal(0, 0.5**0.5, (repeats, len(seed_sds), 1))  # what is common to all leaves a difference
    return np.asarray(of_runs + of_items)


def estimated(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw estimates of a variance over items that is 1."""
    return np.asarray(generator.chisquare(ITEMS - 1, shape) / (ITEMS - 1))


def pair(generator: np.random.Generator, repeats: int, runs: int, seed_sds: Sequence[float], lead: float = 0) -> Drawn:
    """Draw two systems, the first ahead by ``lead``."""
    both = values(generator, repeats, runs, seed_sds)
    both[:, 0] += lead
    difference = both[:, 0].mean(1) - both[:, 1].mean(1)
    return Drawn(difference, [both[:, 0], both[:, 1]], estimated(generator, (repeats,)))


# --- tests between two systems ---------------------------------------------------------------------------------------


def ours(drawn: Drawn) -> np.ndarray:
    return np.asarray(np.abs(drawn.difference) > margin([_between(drawn), Source(drawn.items, ITEMS - 1)], ALPHA))


def over_items(drawn: Drawn) -> np.ndarray:
    return np.asarray(np.abs(drawn.difference) > margin([Source(drawn.items)], ALPHA))


def over_runs(drawn: Drawn) -> np.ndarray:
    return np.asarray(np.abs(drawn.difference) > margin([_between(drawn)], ALPHA))


def satterthwaite(drawn: Drawn) -> np.ndarray:
    return np.asarray(np.abs(drawn.difference) > margin([_joint(_between(drawn), drawn.items)], ALPHA))


def hierarchical_bootstrap(drawn: Drawn, times: int = 400) -> np.ndarray:
    """Draw runs with replacement, then items; reject where 95 % of the resampled differences are on one side of 0."""
    generator = np.random.default_rng(0)
    repeats, runs = drawn.runs[0].shape
    rejected = []
    for row in range(repeats):
        first, second = (own[row][generator.integers(0, runs, (times, runs))].mean(1) for own in drawn.runs)
        resampled = first - second + generator.normal(0, drawn.items[row] ** 0.5, times)
        low, high = np.quantile(resampled, [ALPHA / 2, 1 - ALPHA / 2])
        rejected.append(not low <= 0 <= high)
    return np.array(rejected)


TESTS: dict[str, Reject] = {
    "items alone": over_items,
    "hierarchical bootstrap": hierarchical_bootstrap,
    "Welch over runs alone": over_runs,
    "Satterthwaite over runs and items": satterthwaite,
    "ours": ours,
}


def _between(drawn: Drawn) -> Source:
    return of_difference(of_runs(drawn.runs[0]), of_runs(drawn.runs[1]))


def _joint(runs: Source, items: np.ndarray) -> Source:
    """Join runs and items as Satterthwaite does, the items' degrees of freedom being many."""
    variance = runs.variance + items
    return Source(variance, runs.freedom * np.square(variance / runs.variance))


# --- tables of several systems ---------------------------------------------------------------------------------------


def leads(
    generator: np.random.Generator, repeats: int, runs: int, seed_sds: Sequence[float], p: float, lead: float = 0
) -> np.ndarray:
    """Tell (R,) in which columns the best of K systems beats every other at ``p``.

    Args:
        lead: by how much the first system is ahead; only its own daggers count then.
    """
    drawn = values(generator, repeats, runs, seed_sds)
    drawn[:, 0] += lead
    order = np.argsort(-drawn.mean(2), axis=1)
    ranked = np.take_along_axis(drawn, order[:, :, None], axis=1)
    best, others = ranked[:, :1], ranked[:, 1:]
    items = Source(estimated(generator, (repeats, len(seed_sds) - 1)), ITEMS - 1)
    sources = [of_difference(of_runs(best), of_runs(others)), items]
    beats = (best.mean(2) - others.mean(2) > margin(sources, p)).all(axis=1)
    return np.asarray(beats & (order[:, 0] == 0) if lead else beats)


def any_dagger(
    generator: np.random.Generator, tables: int, columns: int, runs: int, seed_sds: Sequence[float]
) -> float:
    """Return the share of tables of equal systems in which the best of any column gets a dagger.

    Holm's first step is Bonferroni's.
    """
    passed = leads(generator, tables * columns, runs, seed_sds, ALPHA / columns)
    return float(passed.reshape(tables, columns).any(axis=1).mean())


def any_difference(generator: np.random.Generator, tables: int, columns: int, runs: int, seed_sd: float) -> float:
    """Return the share of tables of equal systems in which any row differs from the first with a dagger."""
    drawn = values(generator, tables * columns, runs, [seed_sd] * SYSTEMS)
    items = Source(estimated(generator, (tables * columns, SYSTEMS - 1)), ITEMS - 1)
    sources = [of_difference(of_runs(drawn[:, :1]), of_runs(drawn[:, 1:])), items]
    differences = np.abs(drawn[:, 1:].mean(2) - drawn[:, :1].mean(2))
    passed = differences > margin(sources, ALPHA / columns / (SYSTEMS - 1))
    return float(passed.reshape(tables, -1).any(axis=1).mean())


# --- intervals -------------------------------------------------------------------------------------------------------


def alone(generator: np.random.Generator, repeats: int, runs: int, seed_sd: float) -> Drawn:
    """Draw one system, whose true value is 0."""
    drawn = generator.normal(0, seed_sd, (repeats, runs)) + generator.normal(size=(repeats, 1))
    return Drawn(drawn.mean(1), [drawn], estimated(generator, (repeats,)))


INTERVALS: dict[str, Reject] = {
    "t over runs alone": lambda drawn: margin([of_runs(drawn.runs[0])], 1 - LEVEL),
    "Satterthwaite over runs and items": lambda drawn: margin([_joint(of_runs(drawn.runs[0]), drawn.items)], 1 - LEVEL),
    "ours": lambda drawn: margin([of_runs(drawn.runs[0]), Source(drawn.items)], 1 - LEVEL),
}


def coverage(drawn: Drawn, half: Reject) -> float:
    return float((np.abs(drawn.difference) <= half(drawn)).mean())


# --- report ----------------------------------------------------------------------------------------------------------


def main() -> None:
    print("## False positives of one comparison at p < 0.05\n")
    _row("test", "runs", *(f"seed sd {ratio:g}" for ratio in RATIOS), "seed sd 5 and 0.5", "no items, sd 10 and 1")
    for name, test in TESTS.items():
        repeats = 4_000 if test is hierarchical_bootstrap else 100_000
        for runs in RUNS:
            cases = [*((ratio, ratio) for ratio in RATIOS), (5, 0.5), (1e4, 1e3)]
            rates = [test(pair(np.random.default_rng(1), repeats, runs, case)).mean() for case in cases]
            _row(name, str(runs), *(f"{rate:.3f}" for rate in rates))
    print("\n## Power, seed sd 3\n")
    _row("claim", "runs", *(f"lead of {lead} seed sd" for lead in LEADS))
    for runs in RUNS:
        rates = [ours(pair(np.random.default_rng(2), 20_000, runs, (3, 3), lead * 3)).mean() for lead in LEADS]
        _row("one comparison, p < 0.05", str(runs), *(f"{rate:.2f}" for rate in rates))
    for columns in (1, 7):
        for runs in RUNS:
            rates = [
                leads(np.random.default_rng(3), 20_000, runs, [3] * SYSTEMS, ALPHA / columns, lead * 3).mean()
                for lead in LEADS
            ]
            _row(f"† of the best of 8 systems, columns: {columns}", str(runs), *(f"{rate:.2f}" for rate in rates))
    print("\n## Tables of equal systems with any †\n")
    _row("table", *(f"{runs} runs" for runs in RUNS))
    spread = list(np.geomspace(0.5, 5, SYSTEMS))
    for name, columns, seed_sds in (
        ("8 systems, 1 column, seed sd 3", 1, [3.0] * SYSTEMS),
        ("8 systems, 7 columns, seed sd 3", 7, [3.0] * SYSTEMS),
        ("8 systems, 7 columns, seed sds 0.5 to 5", 7, spread),
        ("2 systems, 7 columns, seed sd 3", 7, [3.0] * 2),
        ("2 systems, 7 columns, seed sds 5 and 0.5", 7, [5, 0.5]),
    ):
        rates = [any_dagger(np.random.default_rng(4), 20_000, columns, runs, seed_sds) for runs in RUNS]
        _row(name, *(f"{rate:.3f}" for rate in rates))
    rates = [any_difference(np.random.default_rng(5), 10_000, 7, runs, 3) for runs in RUNS]
    _row("7 rows beside the first, 7 columns, seed sd 3", *(f"{rate:.3f}" for rate in rates))
    print("\n## Coverage of 95 % intervals\n")
    _row("interval", "runs", *(f"seed sd {ratio:g}" for ratio in RATIOS))
    for name, half in INTERVALS.items():
        for runs in RUNS:
            rates = [coverage(alone(np.random.default_rng(6), 100_000, runs, ratio), half) for ratio in RATIOS]
            _row(name, str(runs), *(f"{rate:.3f}" for rate in rates))


def _row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
