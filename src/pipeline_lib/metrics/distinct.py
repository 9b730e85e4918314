"""distinct-n: how many different n-grams the responses use."""

import numpy as np

from pipeline_lib.metrics.base import Score
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.ngrams import ngram_ids


class Distinct:
    """Different n-grams of all responses divided by all their n-grams (Li et al. 2016); 0 if there are none.

    It falls with the number of responses: compare only over equal test sets and as many responses to a context.
    """

    def __init__(self, order: int) -> None:
        self.order = order
        self.name = f"distinct-{order}"
        self.signature = f"{self.name}|level:corpus|empty:0|v:1"

    def __call__(self, items: Items) -> Score:
        grams, _, _ = ngram_ids(items.responses, self.order, len(items.vocabulary))
        ratio = len(np.unique(grams)) / len(grams) if len(grams) else 0.0
        return Score(ratio, None, items.n_examples, n_empty=int((items.responses.lengths < self.order).sum()))
