"""Spectral clustering: exact on few points, by landmarks (Chen and Cai 2011) on many."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.cluster import kmeans
from pipeline_lib.cluster.grouping import Grouping, Groups, Points, batches, extended_by_neighbour, nearest
from pipeline_lib.config import Clustering

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NEIGHBOURS = 30  # of a text in the exact graph; with fewer, a handful of unusual texts makes a group of its own
LANDMARK_NEIGHBOURS = 10  # nearest landmarks that a point is tied to
LEAST_SHARE = 0.5  # of the mean size; a smaller landmark stands for outliers, which would become groups of their own


def fit(points: Points, settings: Clustering) -> Grouping:
    """Group by normalised cuts: over every pair of training points up to ``exact_up_to``, by landmarks beyond."""
    if len(points) > settings.exact_up_to:
        return by_landmarks(points, settings)
    return exact(points[:], settings)


def exact(points: NDArray[np.float32], settings: Clustering) -> Grouping:
    """Normalised cuts of the nearest-neighbour graph; a further point joins its nearest training point.

    The nodes are the distinct points: equal ones are each other's nearest neighbours and would leave the graph in
    pieces. A Gaussian kernel over all pairs is no alternative here, since it cuts off single unusual texts.
    """
    from sklearn.cluster import SpectralClustering  # a second of imports that a wrong argument need not wait for

    distinct, row = np.unique(points, axis=0, return_inverse=True)
    if len(distinct) <= settings.groups:  # nothing to cut, and too few nodes for the eigensolver
        return extended_by_neighbour(points, row)
    model = SpectralClustering(
        settings.groups,
        affinity="nearest_neighbors",
        n_neighbors=min(NEIGHBOURS, len(distinct)),
        random_state=settings.seed,
    )
    return extended_by_neighbour(points, model.fit_predict(distinct)[row])


def by_landmarks(points: Points, settings: Clustering) -> Grouping:
    """Landmark-based spectral clustering, O(n m D) in time and O(n + m^2) in memory for m landmarks.

    Points are tied to their nearest landmarks by Gaussian affinities Z with rows that sum to one. With Lambda the
    column sums of Z, the graph is ``Z Lambda^-1 Z^T``; its leading eigenvectors are the left singular vectors of
    ``Z Lambda^-1/2``, found from that matrix's small Gram matrix. The same map embeds a point that was not fitted
    (a Nystroem extension), and in the embedding a point belongs to its nearest k-means centroid.

    Landmarks are k-means centroids without the small ones; the kernel's width is the median of their squared
    distances.
    """
    landmarks = _landmarks(points, settings)
    ties = _Ties.of(points, landmarks)
    width = _median_squared(landmarks)
    affinities = ties.affinities(width)
    projection = _projection(affinities, settings.groups)

    inside = kmeans.fit(affinities @ projection, settings)

    def extend(others: Points) -> Groups:
        return inside.extend(_Ties.of(others, landmarks).affinities(width) @ projection)

    return Grouping(inside.train, extend)


def _landmarks(points: Points, settings: Clustering) -> NDArray[np.float32]:
    candidates = kmeans.fit_landmarks(points, settings)
    sizes = np.bincount(nearest(points, candidates), minlength=len(candidates))
    return candidates[sizes >= LEAST_SHARE * len(points) / len(candidates)]


class _Ties(NamedTuple):
    """The nearest landmarks of n points: (n, r) int32 rows and (n, r) float32 squared distances, of ``m`` landmarks."""

    landmark: NDArray[np.int32]
    squared: NDArray[np.float32]
    m: int

    @classmethod
    def of(cls, points: Points, landmarks: NDArray[np.float32]) -> "_Ties":
        from sklearn.neighbors import NearestNeighbors

        r = min(LANDMARK_NEIGHBOURS, len(landmarks))
        search = NearestNeighbors(n_neighbors=r, algorithm="brute").fit(landmarks)
        ties = cls(np.empty((len(points), r), np.int32), np.empty((len(points), r), np.float32), len(landmarks))
        for rows, block in batches(points):
            distance, ties.landmark[rows] = search.kneighbors(block)
            ties.squared[rows] = np.square(distance)
        return ties

    def affinities(self, width: float) -> "csr_array":
        """(n, m) sparse float32 Z: ``exp(-squared / 2 width)``, each row divided by its sum."""
        from scipy.sparse import csr_array

        n, r = self.squared.shape
        # the division cancels a factor of a row, so distances may be taken from the row's least: no row underflows
        weights = np.exp((self.squared[:, :1] - self.squared) / np.float32(2 * width))
        weights /= weights.sum(axis=1, keepdims=True)
        return csr_array((weights.ravel(), self.landmark.ravel(), np.arange(0, n * r + 1, r)), shape=(n, self.m))


def _projection(affinities: "csr_array", groups: int) -> NDArray[np.float32]:
    """(m, groups) float32 that maps rows of Z to leading singular vectors, scaled to unit mean square over the rows."""
    from scipy.linalg import eigh

    mass = affinities.sum(axis=0)
    scale = np.where(mass > 0, 1 / np.sqrt(np.maximum(mass, 1e-12)), 0)  # a landmark may have no points
    gram = (affinities.T @ affinities).toarray().astype(np.float64) * np.multiply.outer(scale, scale)
    m = len(gram)
    values, vectors = eigh(gram, subset_by_index=(max(m - groups, 0), m - 1))
    strength = np.sqrt(np.maximum(values, 1e-6))  # a graph of lower rank than groups has zeros here
    return (scale[:, None] * vectors / strength * np.sqrt(affinities.shape[0])).astype(np.float32)


def _median_squared(landmarks: NDArray[np.float32]) -> float:
    from scipy.spatial.distance import pdist

    return float(np.median(pdist(landmarks, "sqeuclidean"))) if len(landmarks) > 1 else 1.0
