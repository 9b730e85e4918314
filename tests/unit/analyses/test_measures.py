"""Measured values and the errors of their means."""

import statistics

import numpy as np
import pytest

from pipeline_lib.analyses.measures import mean_of, standard_error, table_of
from pipeline_lib.schemas.measures import MEASURES


def test_the_standard_error_is_that_of_the_sample_and_none_of_a_single_value():
    values = [1.0, 2.5, 4.0, 0.5]
    assert standard_error(np.array(values)) == pytest.approx(statistics.stdev(values) / 2)
    assert standard_error(np.array([3.0])) is None


def test_a_mean_without_an_error_is_a_row_with_null():
    table = table_of([mean_of("one", "loss", np.array([3.0])), mean_of("two", "loss", np.array([1.0, 1.0]))])
    assert table.schema == MEASURES
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("one", "loss", 3.0, None, 1),
        ("two", "loss", 1.0, 0.0, 2),
    ]
