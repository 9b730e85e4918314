"""Embedding Average: cosine of the mean vectors of response and reference."""

from pipeline_lib.metrics.base import Score
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.vectors import VectorMetric, best_of_references, cosines, sums, vectors_of
from pipeline_lib.vectors.space import VectorSpace


class Average(VectorMetric):
    """Cosine of mean word vectors (Liu et al. 2016); unknown words skipped, a side without any scores 0."""

    name = "Average"
    meaning = "Cosine of the mean word vectors of response and reference"
    of_references = True

    def __init__(self, space: VectorSpace) -> None:
        super().__init__(space)
        self.signature = f"Average|vectors:{space.label}|oov:skip|empty:0|v:1"

    def __call__(self, items: Items) -> Score:
        vectors, known = vectors_of(self.space, items)
        # unknown words are zero, and a cosine does not see that a sum was not divided by its count
        responses = sums(items.responses, vectors)[items.reference_item]
        return best_of_references(items, cosines(responses, sums(items.references, vectors)), known)
