"""k-means: exact on what fits in memory, mini-batches (Sculley 2010) beyond."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.clusters.grouping import BATCH, Grouping, Points, nearest_centroid
from pipeline_lib.config.clustering import Clustering

SAMPLE = 20  # points per centroid, at least, that the start of mini-batches is fitted on
Start = Literal["k-means++", "random"]  # careful; quick, for many centroids of which none matters much
RESTARTS = 10  # the best of so many k-means++ starts; one start often joins two of eight groups


def fit(points: Points, settings: Clustering) -> Grouping:
    """Group by k-means; a point belongs to its nearest centroid, in training and elsewhere alike."""
    centroids = fit_centroids(points, settings.groups, settings.seed, settings.minibatch_from, "k-means++")
    return Grouping(nearest_centroid(points, centroids), lambda others: nearest_centroid(others, centroids))


def fit_centroids(points: Points, groups: int, seed: int, exact_below: int, start: Start) -> NDArray[np.float32]:
    """Fit (K, D) float32 centroids, K = ``groups`` or the number of distinct points where that is less.

    From ``exact_below`` points on (and `SAMPLE` for each centroid), exact k-means on so many drawn points gives
    the start, and one pass of mini-batches over all points in random order refines it.
    """
    sample = max(exact_below, SAMPLE * groups)
    if len(points) < sample:
        return _exact(points[:], groups, seed, start)
    generator = np.random.default_rng(seed)
    drawn = np.sort(generator.choice(len(points), size=sample, replace=False))
    return _refined(points, _exact(points[drawn], groups, seed, start), generator)


def fit_landmarks(points: Points, settings: Clustering) -> NDArray[np.float32]:
    """Fit m <= ``landmarks`` distinct centroids, (m, D) float32, that represent all points in the large-scale forms."""
    count = max(settings.landmarks, settings.groups)
    return np.unique(fit_centroids(points, count, settings.seed, SAMPLE * count, "random"), axis=0)


def _exact(points: NDArray[np.float32], groups: int, seed: int, start: Start) -> NDArray[np.float32]:
    """Run Lloyd's algorithm on distinct points with their counts.

    The optimum is the same, and no run starts on two equal points.
    """
    from sklearn.cluster import KMeans  # a second of imports that a wrong argument need not wait for

    distinct, counts = np.unique(points, axis=0, return_counts=True)
    if len(distinct) <= groups:
        return distinct
    model = KMeans(groups, init=start, n_init=RESTARTS if start == "k-means++" else 1, random_state=seed)
    return model.fit(distinct, sample_weight=counts).cluster_centers_.astype(np.float32)


def _refined(points: Points, start: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    from sklearn.cluster import MiniBatchKMeans

    # the start is good: moving a small cluster to a random point, which the default does, could only spoil it
    model = MiniBatchKMeans(len(start), init=start, n_init=1, reassignment_ratio=0.0, random_state=0)
    order = generator.permutation(len(points))
    for first in range(0, len(order), BATCH):
        rows = np.sort(order[first : first + BATCH])
        model.partial_fit(points[rows])
    return np.asarray(model.cluster_centers_, dtype=np.float32)
