"""The three clusterings and their large-scale forms, on points whose groups are known."""

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

from pipeline_lib.clusters import agglomerative, grouping, kmeans, spectral
from pipeline_lib.config.clustering import Clustering

EXACT = Clustering(seed=3)
LARGE = Clustering(seed=3, minibatch_from=500, exact_up_to=100, landmarks=100)
FITS = {"kmeans": kmeans.fit, "spectral": spectral.fit, "agglomerative": agglomerative.fit}
methods = pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
forms = pytest.mark.parametrize("settings", [EXACT, LARGE], ids=["exact", "large-scale"])


@pytest.fixture(scope="module")
def planted():
    """2,000 points in 8 Gaussian groups of unequal size in 20 dimensions, and 400 further points."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(8, 20))
    groups = generator.choice(8, size=2_400, p=np.arange(1, 9) / 36)
    points = (centres[groups] * 2 + 0.5 * generator.normal(size=(2_400, 20))).astype(np.float32)
    return points[:2_000], groups[:2_000], points[2_000:], groups[2_000:]


@methods
@forms
def test_planted_groups_are_found_and_extended_to_further_points(planted, fit, settings):
    points, groups, others, other_groups = planted
    found = fit(points, settings)
    assert adjusted_rand_score(groups, found.train) > 0.95
    assert adjusted_rand_score(other_groups, found.extend(others)) > 0.95


@methods
def test_the_large_scale_form_agrees_with_the_exact_one(planted, fit):
    points = planted[0]
    assert adjusted_rand_score(fit(points, EXACT).train, fit(points, LARGE).train) > 0.95


@methods
@forms
def test_the_same_seed_gives_the_same_groups(planted, fit, settings):
    np.testing.assert_array_equal(fit(planted[0], settings).train, fit(planted[0], settings).train)


@methods
@forms
def test_extending_to_the_training_points_gives_their_own_groups(planted, fit, settings):
    found = fit(planted[0], settings)
    assert (found.extend(planted[0]) == found.train).mean() > 0.99


@methods
@forms
def test_zero_rows_and_duplicates_break_nothing(planted, fit, settings):
    points = np.concatenate([np.zeros((1_500, 20), np.float32), np.repeat(planted[0][:3], 400, axis=0), planted[0]])
    found = fit(points, settings)
    assert len(set(found.train[:1_500])) == 1
    assert found.extend(np.zeros((2, 20), np.float32)).shape == (2,)
    assert found.extend(points[:0]).shape == (0,)


def test_kmeans_over_counted_distinct_points_reaches_lloyds_fixed_point():
    points = np.repeat(np.random.default_rng(1).normal(size=(300, 4)), 5, axis=0).astype(np.float32)
    found = kmeans.fit(points, Clustering(groups=4)).train
    means = np.stack([points[found == group].mean(axis=0) for group in range(4)])
    distances = np.square(points[:, None] - means).sum(axis=2)
    assert (distances.argmin(axis=1) == found).mean() > 0.99  # scikit-learn stops at a relative tolerance


def test_coarse_to_fine_is_exact_ward_where_micro_clusters_are_single_points():
    points = np.random.default_rng(2).normal(size=(150, 5)).astype(np.float32)
    settings = Clustering(landmarks=150)
    expected = AgglomerativeClustering(8, linkage="ward").fit_predict(points)
    assert adjusted_rand_score(expected, agglomerative.coarse_to_fine(points, settings).train) == 1


def test_weighted_ward_equals_ward_over_that_many_equal_points():
    generator = np.random.default_rng(4)
    centroids, sizes = generator.normal(size=(60, 5)), generator.integers(1, 9, size=60)
    every = AgglomerativeClustering(6, linkage="ward").fit_predict(np.repeat(centroids, sizes, axis=0))
    expected = every[np.cumsum(sizes) - 1]
    assert adjusted_rand_score(expected, agglomerative.weighted_ward(centroids, sizes, 6)) == 1
    unweighted = agglomerative.weighted_ward(centroids, np.ones(60, int), 6)
    assert adjusted_rand_score(expected, unweighted) < 1  # the sizes matter here


def test_landmark_embedding_spans_the_leading_eigenvectors_of_its_graph(monkeypatch):
    monkeypatch.setattr(spectral, "BATCH", 50)
    points = np.random.default_rng(5).normal(size=(120, 3)).astype(np.float32)
    landmarks = points[:20]
    ties = spectral._Ties.of(points, landmarks)
    dense = np.concatenate([part.toarray() for part in ties.affinities(1.0)]).astype(float)
    graph = dense / dense.sum(axis=0) @ dense.T
    np.testing.assert_allclose(graph.sum(axis=1), 1, rtol=1e-5)
    leading = np.linalg.eigh((graph + graph.T) / 2)[1][:, -4:]
    embedded = np.linalg.qr(ties.embedded(1.0, spectral._projection(ties, 1.0, 4)))[0]
    np.testing.assert_allclose(np.linalg.svd(leading.T @ embedded)[1], 1, atol=1e-4)  # cosines of principal angles


def test_nearest_is_the_brute_force_nearest_across_batches(monkeypatch):
    monkeypatch.setattr(grouping, "BATCH", 7)
    generator = np.random.default_rng(6)
    points, centroids = generator.normal(size=(40, 3)).astype(np.float32), generator.normal(size=(5, 3))
    expected = [min(range(5), key=lambda k: np.linalg.norm(point - centroids[k])) for point in points]
    assert grouping.nearest_centroid(points, centroids).tolist() == expected
