"""Margins of estimates with several sources of variance: against scipy where it has the same test."""

import numpy as np
import pytest
from scipy import stats

from pipeline_lib.significance.margins import Source, half_interval, margin, of_difference, of_runs, p_value


@pytest.mark.parametrize(("here", "there"), [(2, 2), (3, 3), (2, 5)])
def test_runs_alone_are_tested_as_welch_tests_them(here, there):
    rng = np.random.default_rng(here)
    first, second = rng.normal(0, 1, here), rng.normal(1, 3, there)
    joint = of_difference(of_runs(first), of_runs(second))
    expected = stats.ttest_ind(first, second, equal_var=False)
    assert joint.freedom == pytest.approx(expected.df)
    assert p_value(first.mean() - second.mean(), [joint]) == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval(0.95)
    assert margin([joint], 0.05) == pytest.approx((high - low) / 2)


@pytest.mark.parametrize("distance", [0.1, 1.0, 3.0, 9.0])
def test_one_source_is_tested_by_its_own_t_or_normal_distribution(distance):
    assert p_value(2 * distance, [Source(4.0)]) == pytest.approx(2 * stats.norm.sf(distance))
    assert p_value(2 * distance, [Source(4.0, 2.5)]) == pytest.approx(2 * stats.t.sf(distance, 2.5))


def test_the_squared_margins_of_two_sources_add():
    of_two = stats.t.ppf(0.975, 2) ** 2 * 3 + stats.norm.ppf(0.975) ** 2 * 5
    assert margin([Source(3.0, 2), Source(5.0)], 0.05) == pytest.approx(of_two**0.5)


@pytest.mark.parametrize("p", [1e-9, 0.001, 0.05, 0.7])
def test_p_is_where_the_margin_reaches_the_difference(p):
    sources = [Source(np.array([3.0, 0.0, 1.0]), 1.7), Source(np.array([5.0, 1.0, 0.0]))]
    np.testing.assert_allclose(p_value(-margin(sources, p), sources), p, rtol=1e-6)


def test_nothing_that_varies_makes_no_difference_certain_and_any_other_impossible():
    assert p_value(0.0, [Source(0.0)]) == pytest.approx(1)
    assert p_value(0.1, [Source(0.0)]) < 1e-200
    assert p_value(0.1, [Source(np.inf, 1)]) == pytest.approx(1)


@pytest.mark.parametrize("difference", [np.nan, 3.0])
def test_values_that_are_no_numbers_show_nothing(difference):
    assert p_value(difference, [Source(np.nan, 2), Source(1.0)]) == pytest.approx(1)


def test_an_interval_without_errors_over_items_is_students():
    values = np.array([0.31, 0.27, 0.42])
    low, high = stats.t.interval(0.95, 2, loc=values.mean(), scale=stats.sem(values))
    assert half_interval(values, np.zeros(3)) == pytest.approx((high - low) / 2)


def test_an_interval_of_one_run_is_that_of_its_items():
    assert half_interval(np.array([0.5]), np.array([0.02])) == pytest.approx(stats.norm.ppf(0.975) * 0.02)
