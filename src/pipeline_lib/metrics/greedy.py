"""Greedy Matching: every word with the most similar word of the other side."""

import numpy as np

from pipeline_lib.metrics.base import Score
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.vectors import VectorMetric, best_of_references, rescaled, vectors_of
from pipeline_lib.text.ragged import Ragged
from pipeline_lib.vectors.space import VectorSpace

CELLS = 1_600_000  # floats of the word vectors of one chunk: 6 MB
_NONE = -1  # in place of an id, beyond the end of a text


class Greedy(VectorMetric):
    """Mean over words of the best cosine, averaged over both directions (Rus and Lintean 2012)."""

    name = "Greedy"
    meaning = "Each word matched with its nearest of the other side, in both directions"
    of_references = True

    def __init__(self, space: VectorSpace) -> None:
        super().__init__(space)
        self.signature = f"Greedy|vectors:{space.label}|oov:skip|empty:0|v:1"

    def __call__(self, items: Items) -> Score:
        vectors, known = vectors_of(self.space, items)
        near_one = rescaled(vectors)
        unit = near_one / np.maximum(np.linalg.norm(near_one, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        responses = items.responses.keep(known[items.responses.ids])
        references = items.references.keep(known[items.references.ids])
        values = greedy_matching(responses, references, items.reference_item, unit)
        return best_of_references(items, values, known)


def greedy_matching(responses: Ragged, references: Ragged, item: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Score R references against the responses of their items.

    Args:
        responses: B texts of known words.
        references: R texts of known words; reference r belongs to item ``item[r]``.
        unit: (T, D) float32 of length 1.
    Returns:
        (R,) float64 in [-1, 1]; 0 where a side is empty.
    """
    left, right = responses.lengths[item], references.lengths
    result = np.zeros(len(references))
    order = np.lexsort((right, left))
    order = order[(left[order] > 0) & (right[order] > 0)]
    start = 0
    while start < len(order):  # neighbours in this order have like lengths, so a chunk is padded little
        step = max(1, CELLS // (2 * unit.shape[1] * int(max(left[order[start]], right.max()))))
        rows = order[start : start + step]
        result[rows] = _padded_matching(responses.padded(item[rows], _NONE), references.padded(rows, _NONE), unit)
        start += step
    return result


def _padded_matching(left: np.ndarray, right: np.ndarray, unit: np.ndarray) -> np.ndarray:
    cosine = unit[left] @ unit[right].transpose(0, 2, 1)  # (b, L, R)
    no_left, no_right = left == _NONE, right == _NONE
    cosine[no_left[:, :, None] | no_right[:, None, :]] = -np.inf
    forth = np.where(no_left, 0, cosine.max(axis=2)).sum(axis=1, dtype=np.float64) / (~no_left).sum(axis=1)
    back = np.where(no_right, 0, cosine.max(axis=1)).sum(axis=1, dtype=np.float64) / (~no_right).sum(axis=1)
    return (forth + back) / 2
