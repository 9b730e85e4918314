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


class IntraDistinct(Metric):
    """The share of different n-grams within a response, averaged; 0 for a response without any (Gu et al. 2019)."""

    better = "higher"
    order: int

    def __call__(self, items: Items) -> Score:
        text = np.arange(len(items))
        shares = _shares(items, text, len(items), self.order)
        return Score.of_items(items, shares, n_empty=int((items.responses.lengths < self.order).sum()))


class IntraDistinct1(IntraDistinct):
    """Single words."""

    name = "distinct-1-intra"
    order = 1
    signature = "distinct-1-intra|level:response|empty:0|v:1"
    meaning = "Different words of a response over its words"


class IntraDistinct2(IntraDistinct):
    """Pairs of words."""

    name = "distinct-2-intra"
    order = 2
    signature = "distinct-2-intra|level:response|empty:0|v:1"
    meaning = "Different word pairs of a response over its word pairs"


class InterDistinct(Metric):
    """The share of different n-grams in all responses to a context together (Gu et al. 2019).

    It falls with the number of responses, so a system that gives one to each context does not compete.
    """

    better = "higher"
    order: int

    def __call__(self, items: Items) -> Score:
        example = np.arange(len(items)) if items.example is None else items.example
        shares = _shares(items, example, items.n_examples, self.order)
        return Score.of_items(items, shares[example], n_empty=int((items.responses.lengths < self.order).sum()))

    @classmethod
    def competes(cls, items: Items) -> bool:
        """Tell whether each example has several responses."""
        return super().competes(items) and len(items) > items.n_examples


class InterDistinct1(InterDistinct):
    """Single words."""

    name = "distinct-1-inter"
    order = 1
    signature = "distinct-1-inter|level:context|empty:0|v:1"
    meaning = "Different words of all responses to a context over all their words"


class InterDistinct2(InterDistinct):
    """Pairs of words."""

    name = "distinct-2-inter"
    order = 2
    signature = "distinct-2-inter|level:context|empty:0|v:1"
    meaning = "Different word pairs of all responses to a context over all their word pairs"


def _shares(items: Items, owner: np.ndarray, n: int, order: int) -> np.ndarray:
    """Divide the different n-grams of each of n owners of responses by all of them: (n,), 0 where there are none."""
    grams, text, bound = ngram_ids(items.responses, order, len(items.vocabulary))
    different = np.bincount(np.unique(owner[text] * bound + grams) // bound, minlength=n)
    total = np.bincount(owner[text], minlength=n)
    return np.divide(different, total, out=np.zeros(n), where=total > 0)
