"""Spectral clustering: exact on few points, by landmarks (Chen and Cai 2011) on many."""

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.clusters import kmeans
from pipeline_lib.clusters.grouping import (
    BATCH,
    Grouping,
    Groups,
    Points,
    batches,
    extended_by_neighbour,
    nearest_centroid,
)
from pipeline_lib.config.clustering import Clustering
from pipeline_lib.files.scratch import concatenated

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NEIGHBOURS = 30  # of a text in the exact graph; with fewer, a handful of unusual texts makes a group of its own
LANDMARK_NEIGHBOURS = 10  # nearest landmarks that a point is tied to
LEAST_SHARE = 0.5  # of the mean size; a smaller landmark represents outliers, which would become groups of their own


def fit(points: Points, settings: Clustering) -> Grouping:
    """Group by normalised cuts: over every pair of training points up to ``exact_up_to``, by landmarks beyond."""
    if len(points) > settings.exact_up_to:
        return by_landmarks(points, settings)
    return exact(points[:], settings)


def exact(points: NDArray[np.float32], settings: Clustering) -> Grouping:
    """Group by normalised cuts of the nearest-neighbour graph; a further point joins its nearest training point.

    The nodes are the distinct points: equal ones are each other's nearest neighbours and would leave the graph in
    pieces. A Gaussian kernel over all pairs would not do here, since it cuts off single unusual texts.
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
    """Group by landmark-based spectral clustering, O(n m D) in time and O(m^2) in memory for m landmarks.

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
    projection = _projection(ties, width, settings.groups)

    inside = kmeans.fit(ties.embedded(width, projection), settings)

    def extend(others: Points) -> Groups:
        return inside.extend(_Ties.of(others, landmarks).embedded(width, projection))

    return Grouping(inside.train, extend)


def _landmarks(points: Points, settings: Clustering) -> NDArray[np.float32]:
    candidates = kmeans.fit_landmarks(points, settings)
    sizes = np.bincount(nearest_centroid(points, candidates), minlength=len(candidates))
    return candidates[sizes >= LEAST_SHARE * len(points) / len(candidates)]


class _Ties(NamedTuple):
    """The nearest of ``m`` landmarks to n points: (n, r) records of a landmark and the squared distance to it."""

    records: NDArray[np.void]
    m: int

    @classmethod
    def of(cls, points: Points, landmarks: NDArray[np.float32]) -> "_Ties":
        from sklearn.neighbors import NearestNeighbors

        record = np.dtype([("landmark", np.int32), ("squared", np.float32)])
        r = min(LANDMARK_NEIGHBOURS, len(landmarks))
        search = NearestNeighbors(n_neighbors=r, algorithm="brute").fit(landmarks)

        def found() -> Iterator[NDArray[np.void]]:
            yield np.empty((0, r), record)  # there may be no point at all
            for _, block in batches(points):
                distance, landmark = search.kneighbors(block)
                records = np.empty(landmark.shape, record)
                records["landmark"], records["squared"] = landmark, np.square(distance)
                yield records

        return cls(concatenated(found(), record), len(landmarks))

    def affinities(self, width: float) -> Iterator["csr_array"]:
        """Yield batches of rows of the (n, m) sparse float32 Z: ``exp(-squared / 2 width)`` over the row's sum."""
        from scipy.sparse import csr_array

        for start in range(0, len(self.records), BATCH):
            block = self.records[start : start + BATCH]
            landmark, squared = block["landmark"], block["squared"]
            n, r = squared.shape
            # the division cancels a factor of a row, so distances may be taken from the row's least: no row underflows
            weights = np.exp((squared[:, :1] - squared) / np.float32(2 * width))
            weights /= weights.sum(axis=1, keepdims=True)
            yield csr_array((weights.ravel(), landmark.ravel(), np.arange(0, n * r + 1, r)), shape=(n, self.m))

    def embedded(self, width: float, projection: NDArray[np.float32]) -> NDArray[np.float32]:
        """Write Z @ ``projection``, (n, groups) float32, to disk."""
        none = np.empty((0, projection.shape[1]), np.float32)
        parts = chain([none], (part @ projection for part in self.affinities(width)))
        return concatenated(parts, np.float32)


def _projection(ties: _Ties, width: float, groups: int) -> NDArray[np.float32]:
    """Return (m, groups) float32: rows of Z to leading singular vectors, scaled to unit mean square over the rows."""
    from scipy.linalg import eigh

    m = ties.m
    mass, gram = np.zeros(m), np.zeros((m, m))
    for part in ties.affinities(width):
        mass += part.sum(axis=0)
        gram += (part.T @ part).toarray()
    scale = np.where(mass > 0, 1 / np.sqrt(np.maximum(mass, 1e-12)), 0)  # a landmark may have no points
    gram *= np.multiply.outer(scale, scale)
    values, vectors = eigh(gram, subset_by_index=(max(m - groups, 0), m - 1))
    strength = np.sqrt(np.maximum(values, 1e-6))  # a graph of lower rank than groups has zeros here
    return (scale[:, None] * vectors / strength * np.sqrt(len(ties.records))).astype(np.float32)


def _median_squared(landmarks: NDArray[np.float32]) -> float:
    from scipy.spatial.distance import pdist

    return float(np.median(pdist(landmarks, "sqeuclidean"))) if len(landmarks) > 1 else 1.0
