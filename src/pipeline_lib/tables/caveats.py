"""What the reader must know of a row before comparing it: in how many of its runs something did not work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline_lib.metrics.context_use import IGNORED
from pipeline_lib.metrics.latent import COLLAPSED


@dataclass(frozen=True)
class Caveat:
    """One thing that can go wrong in a run.

    Attributes:
        name: column of the CSV, in which the runs are counted.
        mark: printed behind the row's label, with the number of runs.
        meaning: what is true of these runs.
    """

    name: str
    mark: str
    meaning: str


CAVEATS = (
    Caveat("collapsed", "‡", f"posterior collapsed (KL < {COLLAPSED} nat)"),
    Caveat(
        "context_ignored",
        "§",
        f"context ignored (the 95 % interval of context-use over items reaches down to {IGNORED} nat)",
    ),
    Caveat("not_converged", "¶", "not converged (validation was still falling by more than 1 % an interval)"),
)


def marks_of(runs: Mapping[str, int]) -> list[tuple[str, str]]:
    """Give the mark of every caveat that holds in some runs, with its meaning; ``runs`` counts them by name."""
    return [
        (f"{caveat.mark}{runs[caveat.name]}", f"{caveat.meaning} in {runs[caveat.name]} run(s)")
        for caveat in CAVEATS
        if runs.get(caveat.name)
    ]


def notes_of_caveats(rows: Sequence[Mapping[str, int]]) -> list[str]:
    """Explain the marks that occur."""
    found = [caveat for caveat in CAVEATS if any(row.get(caveat.name) for row in rows)]
    return [f"{caveat.mark}n: {caveat.meaning} in n runs." for caveat in found]
