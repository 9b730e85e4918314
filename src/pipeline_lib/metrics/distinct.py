"""distinct-n: how many different n-grams the responses use."""

import numpy as np

from pipeline_lib.metrics.base import Metric, Score
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.ngrams import ngram_ids


class Distinct(Metric):
    """Different n-grams of all responses divided by all their n-grams (Li et al. 2016); 0 if there are none.

    It falls with the number of responses: compare only over equal test sets and as many responses to a context.
    """

    better = "higher"
    by_item = "repeats"
    order: int

    def __call__(self, items: Items) -> Score:
        grams, _, _ = ngram_ids(items.responses, self.order, len(items.vocabulary))
        ratio = len(np.unique(grams)) / len(grams) if len(grams) else 0.0
        return Score(ratio, None, items.n_examples, n_empty=int((items.responses.lengths < self.order).sum()))

    @classmethod
    def competes(cls, items: Items) -> bool:
        """Tell whether each example has one response."""
        return super().competes(items) and len(items) == items.n_examples


class Distinct1(Distinct):
    """Single words."""

    name = "distinct-1"
    order = 1
    signature = "distinct-1|level:corpus|empty:0|v:1"
    meaning = "Different words of all responses over all their words"


class Distinct2(Distinct):
    """Pairs of words."""

    name = "distinct-2"
    order = 2
    signature = "distinct-2|level:corpus|empty:0|v:1"
    meaning = "Different word pairs of all responses over all their word pairs"
