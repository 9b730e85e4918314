"""Mean cosines within and between groups, against loops over the pairs."""

from itertools import combinations

import numpy as np
import pytest

from pipeline_lib.analyses.cosines import mean_cosines


def cosine(a, b):
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


@pytest.mark.parametrize("seed", range(3))
def test_means_are_those_of_a_loop_over_pairs(seed):
    random = np.random.default_rng(seed)
    vectors, groups = random.normal(size=(9, 4)).astype(np.float32), random.integers(0, 3, 9)
    inner = [cosine(vectors[i], vectors[j]) for i, j in combinations(range(9), 2) if groups[i] == groups[j]]
    inter = [cosine(vectors[i], vectors[j]) for i, j in combinations(range(9), 2) if groups[i] != groups[j]]
    found = mean_cosines(vectors, groups[:, None] == groups)
    assert found.inner == pytest.approx(np.mean(inner), rel=1e-5)
    assert found.inter == pytest.approx(np.mean(inter), rel=1e-5)
    assert (found.inner_pairs, found.inter_pairs) == (len(inner), len(inter))


def test_a_vector_is_no_pair_with_itself_and_its_scale_does_not_count():
    vectors = np.array([[1.0, 0.0], [0.0, 7.0], [-3.0, 0.0]])
    found = mean_cosines(vectors, np.eye(3, dtype=bool))
    assert found == (None, pytest.approx((0 - 1 + 0) / 3), 0, 3)


def test_a_batch_of_one_group_has_no_inter_and_one_of_a_single_pair_neither():
    assert mean_cosines(np.ones((3, 2)), np.ones((3, 3), bool)) == (pytest.approx(1.0), None, 3, 0)
    assert mean_cosines(np.ones((1, 2)), np.ones((1, 1), bool)) == (None, None, 0, 0)


def test_a_vector_of_zeros_has_cosine_zero():
    assert mean_cosines(np.array([[0.0, 0.0], [1.0, 2.0]]), np.ones((2, 2), bool)).inner == 0.0
