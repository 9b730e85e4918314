"""Vectors of the words that are scored, and the sums and cosines that metrics share."""

from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc

from pipeline_lib.config.metrics import Metrics
from pipeline_lib.errors import PipelineError
from pipeline_lib.metrics.base import Metric, Score
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
    several = "references:several|references without vectors:skip"

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


def best_of_references(items: Items, values: np.ndarray, known: np.ndarray) -> Score:
    """Score each response by the best of its references; those without a word that has a vector are left out.

    Args:
        values: (R,) float64 of the references.
        known: (T,) bool, from `vectors_of`.
    Returns:
        0 where no reference is left. ``n_empty`` and ``n_oov`` count the responses that had to leave one out, or that
        have no such word themselves; never both.
    """
    item = items.reference_item
    responses, references = _words(items.responses, known), _words(items.references, known)
    empty = (responses.all[item] == 0) | (references.all == 0)
    bare = (responses.known[item] == 0) | (references.known == 0)
    first = np.flatnonzero(np.diff(item, prepend=-1))  # of each item
    best = np.maximum.reduceat(np.where(bare, -np.inf, values), first)
    has_empty, has_bare = np.logical_or.reduceat(empty, first), np.logical_or.reduceat(bare, first)
    n_empty, n_oov = int(has_empty.sum()), int((has_bare & ~has_empty).sum())
    return Score.of_items(items, np.where(np.isneginf(best), 0.0, best), n_empty, n_oov)


def count_unscored(left: Ragged, right: Ragged, known: np.ndarray) -> tuple[int, int]:
    """Count items with an empty side, and items with words but no vector on a side; never both."""
    one, other = _words(left, known), _words(right, known)
    empty = (one.all == 0) | (other.all == 0)
    bare = (one.known == 0) | (other.known == 0)
    return int(empty.sum()), int((bare & ~empty).sum())


class _Words(NamedTuple):
    """Numbers of words of (N) texts, each (N,) int64."""

    all: np.ndarray
    known: np.ndarray


def _words(texts: Ragged, known: np.ndarray) -> _Words:
    return _Words(texts.lengths, texts.keep(known[texts.ids]).lengths)
