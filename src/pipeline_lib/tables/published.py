"""The figures that the papers print, looked up by where they stand."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class PublishedValue:
    """One cell of a published table."""

    value: float
    text: str  # with its spread, in the paper's own digits


def published(paper: str, table: str, dataset: str, split: str, system: str, column: str) -> PublishedValue | None:
    """The figure at one place of a published table, or None where the paper prints none.

    Args:
        paper: ``SepaCVAE``, for instance.
        table: its number.
        dataset: as the paper writes it; empty, as are ``split`` and ``system``, where the table has no such heading.
    """
    return _figures().get((paper, table, dataset, split, system, column))


@cache
def _figures() -> dict[tuple[str, ...], PublishedValue]:
    file = Path(__file__).parents[3] / "papers/sepacvae/published.csv"
    text = file.read_text(encoding="utf-8")
    keys = ("table", "dataset", "split", "system", "column")
    return {
        ("SepaCVAE", *(row[key] for key in keys)): PublishedValue(
            float(row["value"]), "±".join(filter(None, (row["value"], row["sd"])))
        )
        for row in csv.DictReader(text.splitlines())
        if not row["value"].startswith(">")  # a bound is no figure to subtract from
    }
