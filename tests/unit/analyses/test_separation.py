"""How far groups lie apart, against the definitions and against groups that are known to be apart."""

import numpy as np
import pytest

from pipeline_lib.analyses.separation import plane, separation


def blobs(n=20, apart=20.0, seed=0):
    """Three far clusters in five dimensions, and which of them each point belongs to."""
    group = np.repeat(np.arange(3), n)
    centres = apart * np.eye(5)[:3]
    return (centres[group] + np.random.default_rng(seed).normal(size=(3 * n, 5))).astype(np.float32), group


def silhouette_by_definition(points, group):
    """Rousseeuw (1987): (b - a) / max(a, b) with a the mean distance to the own, b to the nearest other group."""
    values = []
    for i, point in enumerate(points):
        distance = np.sqrt(((points - point) ** 2).sum(1))
        own = (group == group[i]) & (np.arange(len(points)) != i)
        if not own.any():
            values.append(0.0)
            continue
        a = distance[own].mean()
        b = min(distance[group == other].mean() for other in set(group) - {group[i]})
        values.append((b - a) / max(a, b))
    return np.mean(values)


def nmi_by_definition(first, second):
    """Mutual information over the arithmetic mean of the entropies."""

    def entropy(p):
        p = p[p > 0]
        return -(p * np.log(p)).sum()

    joint = np.array([[np.mean((first == a) & (second == b)) for b in set(second)] for a in set(first)])
    left, right = entropy(joint.sum(1)), entropy(joint.sum(0))
    return (left + right - entropy(joint.ravel())) / ((left + right) / 2)


def test_measures_agree_with_their_definitions():
    random = np.random.default_rng(1)
    points, _ = blobs(apart=1.0)
    group, label = random.integers(0, 4, 60), random.integers(0, 3, 60)
    found = separation(points, group, label, seed=0)
    assert found.silhouette == pytest.approx(silhouette_by_definition(points.astype(float), group), abs=1e-5)
    assert found.nmi_labels == pytest.approx(nmi_by_definition(group, label))


def test_groups_that_are_the_clusters_of_z_reach_an_nmi_of_one():
    points, group = blobs()
    found = separation(points, (group + 1) % 3, None, seed=0)  # what the groups are called does not count
    assert found.nmi_clusters == pytest.approx(1)
    assert found.silhouette > 0.8
    assert found.nmi_labels is None


@pytest.mark.parametrize("group", [np.zeros(6, int), np.arange(6)])
def test_a_single_group_or_one_a_pair_leaves_the_measures_undefined(group):
    assert separation(blobs(n=2)[0], group, None, seed=0) == (None, None, None)


def test_the_map_keeps_far_groups_apart_and_is_the_same_each_time():
    points, group = blobs()
    first = plane(points, perplexity=10, seed=3)
    np.testing.assert_array_equal(first, plane(points, perplexity=10, seed=3))
    distance = ((first[:, None] - first) ** 2).sum(-1)
    np.fill_diagonal(distance, np.inf)
    assert (group[distance.argmin(1)] == group).all()


def test_a_map_of_fewer_pairs_than_the_perplexity_asks_for_is_drawn_nevertheless():
    assert plane(blobs(n=2)[0], perplexity=30, seed=0).shape == (6, 2)
