"""Cosines within groups and between them: what Figure 4 of the SepaCVAE paper measures on each batch."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class MeanCosines(NamedTuple):
    """Over the pairs of one batch, each counted once; a mean over no pair is None."""

    inner: float | None
    inter: float | None
    inner_pairs: int
    inter_pairs: int


def mean_cosines(vectors: NDArray[np.floating], same: NDArray[np.bool_]) -> MeanCosines:
    """Return the mean cosine over the pairs of one group and over the others; no vector is paired with itself.

    Args:
        vectors: (B, D), any scale; a vector of zeros has cosine 0 with all.
        same: (B, B), symmetric: which pairs are of one group; the diagonal is not looked at.
    """
    pairs = np.triu_indices(len(vectors), k=1)
    cosines, inner = cosine_matrix(vectors)[pairs], same[pairs]
    return MeanCosines(_mean(cosines[inner]), _mean(cosines[~inner]), int(inner.sum()), int((~inner).sum()))


def cosine_matrix(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the cosines of all pairs: (B, D) -> (B, B)."""
    exact = vectors.astype(np.float64)
    norms = np.linalg.norm(exact, axis=1, keepdims=True)
    unit = np.divide(exact, norms, out=np.zeros_like(exact), where=norms > 0)
    return unit @ unit.T


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None
