"""distinct-n: how many different n-grams the responses use."""

from abc import abstractmethod

import numpy as np

from pipeline_lib.metrics.base import Metric, Score
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.ngrams import ngram_ids


class Distinct(Metric):
    """Different n-grams of all responses divided by all their n-grams (Li et al. 2016); 0 if there are none.

    It falls with the number of responses: compare only over equal test sets and as many responses to a context.
    """

    better = "higher"
    caution = "distinct-n falls with the number of words, so a system that writes few of them may lead."
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


class _Shares(Metric):
    """The share of different n-grams within some responses, averaged; 0 where they have none."""

    better = "higher"
    order: int

    @staticmethod
    @abstractmethod
    def owner(items: Items) -> np.ndarray:
        """Number what each response belongs to, (B,) int64: those with one number are taken together."""

    def __call__(self, items: Items) -> Score:
        owner = self.owner(items)
        shares = _shares(items, owner, self.order)
        return Score.of_items(items, shares[owner], n_empty=int((items.responses.lengths < self.order).sum()))


class IntraDistinct(_Shares):
    """The share of different n-grams within a response (Gu et al. 2019)."""

    @staticmethod
    def owner(items: Items) -> np.ndarray:
        return np.arange(len(items))


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


class InterDistinct(_Shares):
    """The share of different n-grams in all responses to a context together (Gu et al. 2019).

    It falls with the number of responses, so a system that gives one to each context does not compete.
    """

    @staticmethod
    def owner(items: Items) -> np.ndarray:
        return np.arange(len(items)) if items.example is None else items.example

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


def _shares(items: Items, owner: np.ndarray, order: int) -> np.ndarray:
    """Divide the different n-grams of each owner of responses by all of them: (n,), 0 where there are none."""
    grams, text, bound = ngram_ids(items.responses, order, len(items.vocabulary))
    n = int(owner.max(initial=-1)) + 1
    different = np.bincount(np.unique(owner[text] * bound + grams) // bound, minlength=n)
    total = np.bincount(owner[text], minlength=n)
    return np.divide(different, total, out=np.zeros(n), where=total > 0)
