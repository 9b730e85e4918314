"""Vector Extrema: cosine of the per-dimension extremes of response and reference."""

import numpy as np

from pipeline_lib.metrics.base import Score
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.vectors import VectorMetric, best_of_references, cosines, vectors_of
from pipeline_lib.text.ragged import Ragged
from pipeline_lib.vectors.space import VectorSpace

CHUNK = 2_048  # tokens whose vectors are worked on at once: three arrays of 0.3 MB stay in the cache


class Extrema(VectorMetric):
    """Per dimension the value of largest magnitude, positive on ties (Forgues et al. 2014), then the cosine."""

    name = "Extrema"
    meaning = "Cosine of the vectors of extreme values of response and reference"
    of_references = True

    def __init__(self, space: VectorSpace) -> None:
        super().__init__(space)
        self.signature = f"Extrema|vectors:{space.label}|oov:skip|empty:0|ties:positive|v:1"

    def __call__(self, items: Items) -> Score:
        vectors, known = vectors_of(self.space, items)
        responses = extremes(items.responses.keep(known[items.responses.ids]), vectors)[items.reference_item]
        references = extremes(items.references.keep(known[items.references.ids]), vectors)
        return best_of_references(items, cosines(responses, references), known)


def extremes(texts: Ragged, vectors: np.ndarray) -> np.ndarray:
    """Give (B, D) float32, the value of largest magnitude over each text's tokens; zeros for an empty text."""
    result = np.zeros((len(texts), vectors.shape[1]), vectors.dtype)
    lengths = texts.lengths
    for length in np.unique(lengths[lengths > 0]):  # texts of one length need no padding
        same = np.flatnonzero(lengths == length)
        step = max(1, CHUNK // int(length))
        for start in range(0, len(same), step):
            rows = same[start : start + step]
            highest = vectors[texts.ids[texts.offsets[rows]]]
            lowest = highest.copy()
            for place in range(1, length):
                word = vectors[texts.ids[texts.offsets[rows] + place]]
                np.maximum(highest, word, out=highest)
                np.minimum(lowest, word, out=lowest)
            result[rows] = np.where(highest >= -lowest, highest, lowest)
    return result
