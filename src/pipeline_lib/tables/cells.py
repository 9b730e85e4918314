"""Values into the cells and rows of a table."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from pipeline_lib.config.layout import Layout
from pipeline_lib.tables.published import PublishedValue

PAPER = "SepaCVAE"


LEVEL = 0.95


@dataclass(frozen=True)
class Change:
    """How far a figure lies from that of the row that its table compares with."""

    difference: float
    p_adjusted: float | None = None  # of a paired test over items, Holm over the rows; None: there is no such test
    significant: bool = False


@dataclass(frozen=True)
class Cell:
    """One figure of a table; ``mean`` None where it is undefined."""

    mean: float | None = None
    sd: float | None = None  # over seeds, n - 1 in the divisor; None for a single seed
    n: int = 0  # seeds
    low: float | None = None  # 95 % t interval over seeds
    high: float | None = None
    published: PublishedValue | None = None
    lead: Literal["", "best", "real"] = ""  # real: the lead over the next system passes the paired test
    change: Change | None = None
    text: str = ""  # shown in place of a figure: why there is none

    @property
    def difference(self) -> float | None:
        """Ours minus published."""
        return None if self.mean is None or self.published is None else self.mean - self.published.value


@dataclass(frozen=True)
class Row:
    """One system on one corpus, or in table 1 one corpus."""

    corpus: str
    corpus_label: str
    label: str
    cells: dict[str, Cell]
    system: str = ""
    selection: str = ""
    collapsed: int = 0  # runs whose KL ended below 0.1 nat


@dataclass(frozen=True)
class Table:
    """A table before it is printed."""

    name: str
    title: str
    columns: list[str]  # the published shape
    extra: list[str]  # beyond it
    rows: list[Row]
    notes: list[str] = field(default_factory=list)
    extra_title: str = "Beyond the published shape"


def over_seeds(values: Sequence[float]) -> Cell:
    """Mean, standard deviation and 95 % t interval of one figure per seed."""
    mean, n = float(np.mean(values)), len(values)
    if n == 1:
        return Cell(mean, n=1)
    from scipy.special import stdtrit  # here: a table of single seeds needs no scipy

    sd = float(np.std(values, ddof=1))
    half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * sd / n**0.5
    return Cell(mean, sd, n, mean - half, mean + half)


def spread_of(layout: Layout) -> str:
    """What the figures of a row are, in words."""
    seeds = ", ".join(str(seed) for seed in layout.seeds)
    return f"mean ± standard deviation over seeds {seeds}" if len(layout.seeds) > 1 else f"one run, seed {seeds}"
