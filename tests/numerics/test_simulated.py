"""Error rates of the tests and intervals of the tables, simulated; the full form is `numerics.simulated`."""

import numpy as np
import pytest

from numerics.simulated import (
    INTERVALS,
    RATIOS,
    RUNS,
    SYSTEMS,
    alone,
    any_dagger,
    any_difference,
    coverage,
    hierarchical_bootstrap,
    leads,
    ours,
    over_items,
    over_runs,
    pair,
    satterthwaite,
)

REPEATS = 20_000  # the standard error of a rate of 0.05 is 0.0015


def rng():
    return np.random.default_rng(11)


@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize("seed_sds", [*((ratio, ratio) for ratio in RATIOS), (2, 0.2), (5, 0.5), (5, 0)])
def test_equal_systems_differ_significantly_in_at_most_six_of_a_hundred_comparisons(runs, seed_sds):
    assert ours(pair(rng(), REPEATS, runs, seed_sds)).mean() <= 0.06


@pytest.mark.parametrize(
    ("test", "runs", "seed_sds", "repeats"),
    [
        (over_items, 3, (2, 2), REPEATS),
        (over_runs, 3, (0.3, 0.3), REPEATS),
        (satterthwaite, 2, (5, 0.5), REPEATS),
        (hierarchical_bootstrap, 2, (2, 2), 1_000),
    ],
)
def test_the_forms_that_were_not_chosen_err_more_often(test, runs, seed_sds, repeats):
    assert test(pair(rng(), repeats, runs, seed_sds)).mean() > 0.1


@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize("seed_sds", [[3.0] * SYSTEMS, [0.5, 1, 1, 2, 2, 3, 4, 5], [0.0] * SYSTEMS])
def test_a_table_of_eight_equal_systems_has_a_dagger_in_at_most_five_of_a_hundred_cases(runs, seed_sds):
    for columns in (1, 7):
        assert any_dagger(rng(), 2_000, columns, runs, seed_sds) <= 0.05


@pytest.mark.parametrize("runs", RUNS)
def test_a_table_of_equal_rows_beside_the_first_has_a_dagger_in_at_most_five_of_a_hundred_cases(runs):
    assert any_difference(rng(), 2_000, 7, runs, 3) <= 0.05


@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize("ratio", RATIOS)
def test_an_interval_over_runs_and_items_covers_the_truth(runs, ratio):
    assert coverage(alone(rng(), REPEATS, runs, ratio), INTERVALS["ours"]) >= 0.95


def test_five_runs_find_a_lead_of_four_seed_sds_and_two_do_not():
    found = {runs: leads(rng(), 2_000, runs, [3] * SYSTEMS, 0.05, 12).mean() for runs in RUNS}
    assert found[2] < 0.1
    assert found[3] > 0.4
    assert found[5] > 0.95
