"""What the vectors of users show of their true groups, and whether two runs place the users alike."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.analyses.separation import silhouette_and_clusters


class Grouping(NamedTuple):
    """None where undefined: fewer than two groups, or as many as users."""

    silhouette: float | None  # -1 to 1 (Rousseeuw 1987), Euclidean, of the true groups
    ari: float | None  # adjusted Rand index of the true groups with as many k-means clusters; 1 at most, 0 by chance
    neighbours: float | None  # share of the users whose nearest neighbour is of their group


def grouping(vectors: NDArray[np.float32], groups: NDArray[np.int64], seed: int) -> Grouping:
    """Measure how well the vectors of n users show their groups.

    Args:
        vectors: (n, U).
        groups: (n,) the true ones.
        seed: seed of k-means.
    """
    from scipy.spatial.distance import pdist, squareform
    from sklearn.metrics import adjusted_rand_score  # takes a second to import, which planning need not pay

    if (found := silhouette_and_clusters(vectors, groups, seed)) is None:
        return Grouping(None, None, None)
    silhouette, clusters = found
    distances = squareform(pdist(vectors))
    np.fill_diagonal(distances, np.inf)
    return Grouping(
        silhouette,
        float(adjusted_rand_score(groups, clusters)),
        float((groups[distances.argmin(1)] == groups).mean()),
    )


def likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Correlate the distances between n users in two runs, whose vectors may be turned against each other.

    Args:
        one: (n, U), like ``other``; the users in the same order.
    Returns:
        -1 to 1, Pearson's: 1 where the users lie as in the other run, 0 by chance.
    """
    from scipy.spatial.distance import pdist

    return float(np.corrcoef(pdist(one), pdist(other))[0, 1])
