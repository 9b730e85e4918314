"""Tables before they are printed: cells, rows, columns, and the whole, which is also the JSON beside each table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import AnyTable, BesidePublished
from pipeline_lib.config.significance import Between
from pipeline_lib.metrics.base import Better
from pipeline_lib.significance.margins import half_interval
from pipeline_lib.tables.published import PublishedValue

EMPTY = "(empty)"  # how tables of texts show a text without words
VERSION = 2  # of the JSON; raised when a field changes its meaning
MARKS: Mapping[Between, str] = {"systems": "†", "models": "◇"}  # of a test that passes, by what it is about

Lead = Literal["", "best", "systems", "models"]  # the last two: a test passed, by what it is about


@dataclass(frozen=True)
class Change:
    """Distance of a value from that of the row that its table compares with."""

    difference: float
    p_adjusted: float | None = None  # Holm; None: no test was made
    significant: bool = False
    between: Between = "systems"  # models: the test is about these trained models alone
    p_t: float | None = None  # Holm, of the paired t-test; None: not made, or undefined

    @property
    def mark(self) -> str:
        return MARKS[self.between] if self.significant else ""


@dataclass(frozen=True)
class Cell:
    """One value of a table; ``mean`` None where it is undefined."""

    mean: float | None = None
    sd: float | None = None  # over seeds, n - 1 in the divisor; None for a single seed
    n: int = 0  # seeds
    low: float | None = None  # 95 % interval over seeds and, where their errors are known, items
    high: float | None = None
    published: PublishedValue | None = None
    lead: Lead = ""
    lead_p: float | None = None  # of the best: adjusted p of its lead over every other
    change: Change | None = None
    error: float | None = None  # standard error over the items within a run, root mean square over runs
    items: int = 0  # of a run, where a table states them
    text: str = ""  # shown in place of the value: a word, or why there is none

    @property
    def mark(self) -> str:
        """Give the mark of a lead that passes its test."""
        return MARKS[self.lead] if self.lead in ("systems", "models") else ""

    @property
    def difference(self) -> float | None:
        """Ours minus published; None where the paper prints nothing or a bound."""
        if self.mean is None or self.published is None or self.published.value is None:
            return None
        return self.mean - self.published.value


@dataclass(frozen=True)
class Column:
    """One column of values, with what the page says about it."""

    name: str  # its heading, and its name in the CSV
    places: int = 3  # decimals
    metric: str = ""  # that it shows, if it shows one
    split: str = ""  # of the responses that were scored
    meaning: str = ""  # of the metric
    better: Better | None = None
    signatures: dict[str, str] = field(default_factory=dict)  # label of a corpus -> settings of the metric there
    t_test: bool = False  # its values are also compared by the paired t-test


@dataclass(frozen=True)
class Row:
    """One system on one corpus, or in a table of counts one corpus."""

    corpus: str
    corpus_label: str
    label: str
    cells: dict[str, Cell]  # by the column's name
    system: str = ""
    selection: str = ""
    caveats: Mapping[str, int] = field(default_factory=dict)  # runs in which something went wrong, by `caveats` name


@dataclass(frozen=True)
class Block:
    """Finished texts in rows and columns."""

    title: str
    lines: list[list[str]]  # the header first
    introduction: str = ""  # of the texts that are listed above the columns
    listed: list[str] = field(default_factory=list)
    examples: list[dict[str, str | int]] = field(default_factory=list)  # that columns after the first are about


@dataclass(frozen=True)
class Section:
    """The blocks of one corpus."""

    title: str
    blocks: list[Block]
    introduction: str = ""


@dataclass(frozen=True)
class Table:
    """A table, either of values (``columns``, ``extra`` and ``rows``) or of texts (``sections`` and ``records``)."""

    name: str  # of its files
    kind: str
    number: str | None  # as the paper counts
    title: str
    caption: str = ""
    columns: list[Column] = field(default_factory=list)  # the published shape
    extra: list[Column] = field(default_factory=list)  # beyond it
    extra_title: str = ""
    rows: list[Row] = field(default_factory=list)
    beside: str = "published"  # what values are compared with
    sections: list[Section] = field(default_factory=list)
    is_prose: bool = False  # texts that wrap
    records: list[dict[str, Any]] = field(default_factory=list)  # the CSV of a table of texts
    notes: list[str] = field(default_factory=list)
    version: Literal[2] = 2

    @property
    def heading(self) -> str:
        """Title with the number, if the table has one."""
        return f"Table {self.number}. {self.title}" if self.number else self.title

    @property
    def shown(self) -> list[Column]:
        """All columns in their order."""
        return [*self.columns, *self.extra]


def of_spec(name: str, spec: AnyTable) -> dict[str, Any]:
    """Give the fields of a `Table` that its declaration decides."""
    return {"name": name, "kind": spec.kind, "number": spec.number, "title": spec.title, "caption": spec.caption}


def notes_of_spec(spec: BesidePublished, layout: Layout, rows: Sequence[Row]) -> list[str]:
    """Give the notes that a table's declaration adds; those on published values only where a row has one."""
    beside = dict.fromkeys(row.corpus for row in rows if has_published(row))
    elsewhere = [
        f"Published values beside {layout.corpora[corpus]} are of {layout.stands_for[corpus]}, another corpus; nothing "
        "is subtracted from them."
        for corpus in beside
        if corpus in layout.stands_for
    ]
    return [*spec.notes, *(spec.published_notes if beside else []), *elsewhere]


def has_published(row: Row) -> bool:
    """Tell whether the paper prints a value of this row."""
    return any(cell.published for cell in row.cells.values())


def printed_as(spec: AnyTable, layout: Layout, system: str) -> str:
    """Give the name under which the paper prints a row of this table."""
    return spec.as_.get(system) or layout.systems[system].label


def over_seeds(values: Sequence[float], errors: Sequence[float] = ()) -> Cell:
    """Average one value per seed, with standard deviation and 95 % interval.

    Args:
        errors: standard error of each value over the items; none: the interval is over seeds alone.
    """
    mean, n = float(np.mean(values)), len(values)
    if n == 1:
        return Cell(mean, n=1)
    half = half_interval(np.array(values), np.array(errors or [0.0]))
    return Cell(mean, float(np.std(values, ddof=1)), n, mean - half, mean + half)


def spread_of(layout: Layout) -> str:
    """Describe what the values of a row are."""
    seeds = ", ".join(str(seed) for seed in layout.seeds)
    return f"mean ± standard deviation over seeds {seeds}" if len(layout.seeds) > 1 else f"one run, seed {seeds}"
