"""Distances between a system's groups in its latent space, and their agreement with known groups."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Separation(NamedTuple):
    """None where undefined: fewer than two groups, or no known labels."""

    silhouette: float | None  # -1 to 1 (Rousseeuw 1987), Euclidean, of the groups in the latent space
    nmi_clusters: float | None  # 0 to 1, of the groups with as many k-means clusters of z
    nmi_labels: float | None  # 0 to 1, of the groups with the corpus's known labels


def separation(
    means: NDArray[np.float32], groups: NDArray[np.int64], labels: NDArray[np.int64] | None, seed: int
) -> Separation:
    """Measure the groups of n examples.

    Args:
        means: (n, Z) posterior means.
        groups: (n,).
        labels: (n,) known latent groups, or None.
        seed: seed of k-means.
    """
    from sklearn.metrics import normalized_mutual_info_score  # takes a second, which planning need not pay

    if (found := silhouette_and_clusters(means, groups, seed)) is None:
        return Separation(None, None, None)
    silhouette, clusters = found
    return Separation(
        silhouette,
        float(normalized_mutual_info_score(groups, clusters)),
        None if labels is None else float(normalized_mutual_info_score(groups, labels)),
    )


def silhouette_and_clusters(
    points: NDArray[np.float32], groups: NDArray[np.int64], seed: int
) -> tuple[float, NDArray[np.int32]] | None:
    """Measure how far groups lie apart, and find as many clusters by k-means.

    Args:
        points: (n, D).
        groups: (n,).
        seed: seed of k-means.
    Returns:
        The silhouette of the groups, and the (n,) clusters; None with fewer than two groups or one for each point.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    number = len(np.unique(groups))
    if not 2 <= number < len(groups):
        return None
    clusters = KMeans(number, n_init=10, random_state=seed).fit_predict(points)
    return float(silhouette_score(points, groups)), clusters


def plane(means: NDArray[np.float32], perplexity: float, seed: int) -> NDArray[np.float32]:
    """Project (n, Z), n at least 4, to (n, 2) by t-SNE (van der Maaten and Hinton 2008).

    It starts from the first two principal components.

    A perplexity above (n - 1) / 3 asks for more neighbours than there are and is lowered to that.
    """
    from sklearn.manifold import TSNE

    fitting = min(perplexity, (len(means) - 1) / 3)
    reduction = TSNE(perplexity=fitting, init="pca", learning_rate="auto", random_state=seed, n_jobs=1)
    return reduction.fit_transform(means).astype(np.float32)
