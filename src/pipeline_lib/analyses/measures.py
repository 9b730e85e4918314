"""Measured values: rows of `MEASURES`, and the standard error of a mean."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.schemas.measures import MEASURES


class Measure(NamedTuple):
    """A measured value; the fields are those of `MEASURES`."""

    row: str
    column: str
    value: float
    error: float | None
    n: int


def mean_of(row: str, column: str, values: NDArray[np.float64]) -> Measure:
    """Return the mean of a value for each item, with its standard error."""
    return Measure(row, column, float(values.mean()), standard_error(values), len(values))


def standard_error(values: NDArray[np.float64]) -> float | None:
    """Return the standard error of the mean of N values; None of a single one, which tells nothing of their spread."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None


def table_of(measures: Iterable[Measure]) -> pa.Table:
    """Return a `MEASURES` table."""
    return pa.Table.from_pylist([measure._asdict() for measure in measures], MEASURES)
