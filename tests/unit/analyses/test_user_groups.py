"""What vectors of users show of true groups, against the definitions, perfect groups and chance."""

from itertools import combinations

import numpy as np
import pytest

from pipeline_lib.analyses.user_groups import grouping, likeness

GROUPS = np.repeat(np.arange(3), 40)


def random_vectors(seed=0, n=120):
    return np.random.default_rng(seed).normal(size=(n, 8)).astype(np.float32)


def pairs_counted(first, second):
    """The adjusted Rand index of Hubert and Arabie (1985), pair by pair."""
    together = [(first[i] == first[j], second[i] == second[j]) for i, j in combinations(range(len(first)), 2)]
    one, other = (sum(pair[side] for pair in together) for side in (0, 1))
    both, expected = sum(a and b for a, b in together), one * other / len(together)
    return (both - expected) / ((one + other) / 2 - expected)


def test_perfect_groups_have_one_everywhere_and_random_vectors_what_chance_gives():
    assert grouping(np.eye(8, dtype=np.float32)[GROUPS], GROUPS, seed=1) == pytest.approx((1, 1, 1))
    drawn = np.array([grouping(random_vectors(seed), GROUPS, seed=1) for seed in range(5)])
    silhouette, ari, neighbours = drawn.mean(0)
    assert abs(silhouette) < 0.03
    assert abs(ari) < 0.03
    assert neighbours == pytest.approx(39 / 119, abs=0.08)


def test_the_index_is_of_k_means_with_the_true_groups_and_neighbours_are_counted_one_by_one():
    clusters, rng = np.repeat(np.arange(3), 40), np.random.default_rng(3)
    vectors = (100 * np.eye(8)[clusters] + random_vectors(2)).astype(np.float32)  # k-means finds these
    groups = np.where(rng.random(120) < 0.3, rng.integers(0, 3, 120), clusters)
    found = grouping(vectors, groups, seed=1)
    assert found.ari == pytest.approx(pairs_counted(groups, clusters))
    hits = 0
    for i in range(120):
        others = [j for j in range(120) if j != i]
        hits += groups[min(others, key=lambda j: np.linalg.norm(vectors[i] - vectors[j]))] == groups[i]
    assert found.neighbours == pytest.approx(hits / 120)


@pytest.mark.parametrize("groups", [np.zeros(6, int), np.arange(6)])
def test_a_single_group_or_one_a_user_leaves_the_measures_undefined(groups):
    assert grouping(random_vectors(n=6), groups, seed=0) == (None, None, None)


def test_runs_that_differ_by_a_turn_a_shift_and_a_scale_are_alike_and_others_are_not():
    vectors = random_vectors()
    turn = np.linalg.qr(random_vectors(7, n=8))[0]
    assert likeness(vectors, (3 * vectors @ turn + 5).astype(np.float32)) == pytest.approx(1, abs=1e-5)
    assert abs(np.mean([likeness(vectors, random_vectors(seed)) for seed in range(1, 6)])) < 0.05
