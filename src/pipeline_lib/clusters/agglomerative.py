"""Agglomerative clustering by Ward's criterion: exact on few points, coarse to fine on many."""

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.clusters.grouping import Grouping, Groups, Points, extended_by_neighbour, nearest_centroid
from pipeline_lib.clusters.kmeans import fit_landmarks
from pipeline_lib.config.clustering import Clustering


def fit(points: Points, settings: Clustering) -> Grouping:
    """Group by Ward linkage: every training point up to ``exact_up_to``, micro-clusters beyond."""
    if len(points) > settings.exact_up_to:
        return coarse_to_fine(points, settings)
    return exact(points[:], settings)


def exact(points: NDArray[np.float32], settings: Clustering) -> Grouping:
    """Group by Ward linkage over all points; a further point joins its nearest training point."""
    from sklearn.cluster import AgglomerativeClustering  # a second of imports that coarse-to-fine can do without

    return extended_by_neighbour(points, AgglomerativeClustering(settings.groups).fit_predict(points))


def coarse_to_fine(points: Points, settings: Clustering) -> Grouping:
    """Make ``landmarks`` micro-clusters by k-means, and join these by weighted Ward linkage.

    A point, in training or elsewhere, belongs to the group of its nearest micro-cluster.
    """
    centroids = fit_landmarks(points, settings)
    sizes = np.bincount(nearest_centroid(points, centroids), minlength=len(centroids))
    kept = centroids[sizes > 0]
    group_of = weighted_ward(kept, sizes[sizes > 0], settings.groups)

    def extend(others: Points) -> Groups:
        return group_of[nearest_centroid(others, kept)]

    return Grouping(extend(points), extend)


def weighted_ward(centroids: NDArray[np.floating], sizes: NDArray[np.integer], groups: int) -> NDArray[np.int32]:
    """Join clusters that already hold ``sizes`` points each, by Ward (1963) linkage.

    Joining clusters of n_i and n_j points raises the within-group sum of squares by
    ``n_i n_j / (n_i + n_j) |c_i - c_j|^2``; each step takes the cheapest join. Libraries start from single points, so
    the sizes would be lost with them.

    Args:
        centroids: (m, D) means; cost O(m^2 (m + D)), meant for thousands.
        sizes: (m,) points of each, all positive.
        groups: how many to leave, at most m.
    Returns:
        (m,) int32, the group of each cluster, numbered by first appearance.
    """
    from scipy.spatial.distance import cdist

    means, weights = centroids.astype(np.float64), sizes.astype(np.float64)
    costs = cdist(means, means, "sqeuclidean") * np.multiply.outer(weights, weights) / np.add.outer(weights, weights)
    np.fill_diagonal(costs, np.inf)
    group = np.arange(len(means))
    for _ in range(len(means) - groups):
        kept, joined = sorted(divmod(int(costs.argmin()), len(means)))
        total = weights[kept] + weights[joined]
        means[kept] = (weights[kept] * means[kept] + weights[joined] * means[joined]) / total
        weights[kept] = total
        group[group == joined] = kept
        costs[joined] = costs[:, joined] = np.inf
        alive = np.isfinite(costs[kept])
        row = weights[alive] * total / (weights[alive] + total) * np.square(means[alive] - means[kept]).sum(axis=1)
        costs[kept, alive] = costs[alive, kept] = row
    return np.unique(group, return_inverse=True)[1].astype(np.int32)
