"""Families of tests that are corrected together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from pipeline_lib.config.significance import Between, Significance

Place = tuple[str, str, str]  # corpus, split, metric


@dataclass(frozen=True)
class Lead:
    """The best system of a column, tested for being better than every other."""

    best: str
    p_adjusted: float
    between: Between


def leads(rows: Iterable[Mapping[str, Any]]) -> dict[Place, Lead]:
    """Find who leads each column of one table, and whether the lead passes, corrected over all columns.

    A lead is as sure as its least sure comparison, so the p of a column is the largest of its comparisons. To be
    called best in error, a system must beat its equal, whichever that is: the comparisons of a column need no further
    correction for the best having been chosen by the data (Gutmann and Maymin 1987).

    Args:
        rows: `schemas.significance`, of every corpus and split of the table.
    """
    columns: dict[Place, list[Mapping[str, Any]]] = {}
    for row in rows:
        columns.setdefault((row["corpus"], row["split"], row["metric"]), []).append(row)
    adjusted = holm(np.array([max(row["p"] for row in own) for own in columns.values()]))
    return {
        place: Lead(own[0]["best"], float(p), _weakest([row["between"] for row in own]))
        for (place, own), p in zip(columns.items(), adjusted, strict=True)
    }


def holm(p: np.ndarray) -> np.ndarray:
    """Adjust (m,) p-values for m comparisons (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted


def enough_trials(settings: Significance, comparisons: int) -> Significance:
    """Raise the number of trials to where the least possible p can pass the correction for so many comparisons."""
    least = 2 * ceil(comparisons / settings.level)  # the least p is then half of what one comparison must reach
    return settings.model_copy(update={"trials": max(settings.trials, least)})


def _weakest(claims: list[Between]) -> Between:
    return "models" if "models" in claims else "systems"
