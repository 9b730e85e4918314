"""Vectors of the words that are scored, and the sums and cosines that metrics share."""

import numpy as np
import pyarrow.compute as pc

from pipeline_lib.config.metrics import Metrics
from pipeline_lib.errors import PipelineError
from pipeline_lib.metrics.base import Metric
from pipeline_lib.metrics.items import Items
from pipeline_lib.text.ragged import Ragged
from pipeline_lib.vectors.space import VectorSpace


def vectors_of(space: VectorSpace, items: Items) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors of the items' vocabulary.

    Returns:
        (T, D) float32, zeros where unknown; (T,) bool, known: a token that is absent or all zeros is not.
    """
    if space.label not in items._known:
        row = pc.index_in(items.vocabulary, value_set=space.tokens).fill_null(-1).to_numpy()
        vectors = np.where(row[:, None] >= 0, space.matrix[row], np.float32(0))
        items._known[space.label] = vectors, (vectors != 0).any(axis=1)
    return items._known[space.label]


class VectorMetric(Metric):
    """A metric that compares texts by the vectors of their words."""

    better = "higher"

    def __init__(self, space: VectorSpace) -> None:
        self.space = space

    @classmethod
    def make(cls, settings: Metrics, vectors: VectorSpace | None, language: str | None) -> Metric:
        """Make the metric with the vectors of the corpus."""
        return cls(required(vectors, cls.name))


def required(vectors: VectorSpace | None, metric: str) -> VectorSpace:
    """Return the vectors that a metric needs.

    Raises:
        PipelineError: the corpus has none.
    """
    if vectors is None:
        raise PipelineError(
            f"{metric} needs word vectors, and this corpus has none",
            where="columns of the tables",
            expected="metrics without vectors, or a corpus with an `embeddings:` section",
            remedy=f"leave {metric} out of the tables of this corpus, or give the corpus word vectors",
        )
    return vectors


def sums(texts: Ragged, vectors: np.ndarray) -> np.ndarray:
    """Add up the vectors of each text's tokens: (B, D) of the vectors' type, float64 where that could overflow."""
    from scipy.sparse import csr_array  # here: the metrics without vectors start without scipy

    longest = texts.lengths.max(initial=0)
    if np.abs(vectors).max(initial=0) > np.finfo(vectors.dtype).max / max(longest, 1):
        vectors = vectors.astype(np.float64)
    ones = np.ones(len(texts.ids), vectors.dtype)
    return csr_array((ones, texts.ids, texts.offsets), shape=(len(texts), len(vectors))) @ vectors


def rescaled(rows: np.ndarray) -> np.ndarray:
    """Multiply each of (B, D) rows by the power of two that brings its largest value near 1.

    The square of a float32 below 1e-21 is lost and that of one above 1e20 is infinite. A power of two changes no
    digit, so cosines of ordinary vectors keep every bit.
    """
    exponents = np.frexp(np.abs(rows).max(axis=1, initial=0))[1]
    factors = np.ldexp(np.ones(1, rows.dtype), -np.clip(exponents, -126, 126))  # the others do not fit float32
    return np.asarray(rows * factors[:, None])


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Compare (B, D) with (B, D): (B,) float64; 0 where a side is zero."""
    left, right = rescaled(left), rescaled(right)
    inner = np.einsum("bd,bd->b", left, right).astype(np.float64)
    squares = [np.einsum("bd,bd->b", side, side).astype(np.float64) for side in (left, right)]
    norms = np.sqrt(squares[0] * squares[1])
    return np.divide(inner, norms, out=np.zeros(len(inner)), where=norms > 0)


def best_of_references(values: np.ndarray, reference_item: np.ndarray) -> np.ndarray:
    """Reduce (R,) values of references to (B,), the best of each item."""
    if len(values) == 0:
        return values
    return np.maximum.reduceat(values, np.unique(reference_item, return_index=True)[1])


def count_unscored(
    left: Ragged, right: Ragged, known: np.ndarray, reference_item: np.ndarray | None = None
) -> tuple[int, int]:
    """Count items with an empty side, and items with words but no vector on a side; never both.

    With ``reference_item``, ``right`` holds references, of which the best-covered counts.
    """

    def per_item(counts: np.ndarray) -> np.ndarray:
        return counts if reference_item is None else best_of_references(counts, reference_item)

    empty = (left.lengths == 0) | (per_item(right.lengths) == 0)
    bare = (left.keep(known[left.ids]).lengths == 0) | (per_item(right.keep(known[right.ids]).lengths) == 0)
    return int(empty.sum()), int((bare & ~empty).sum())
