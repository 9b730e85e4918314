"""BLEU recall, precision and F1 of several responses to a context (Zhao et al. 2017; Gu et al. 2019; Chan et al. 2019).

b is sentence BLEU of three orders with smoothing method 7; recall is the mean over contexts of the best of a context's
responses, precision that of their average, F1 the harmonic mean of the two means. The released script of DialogWAE
counts the end token as a word on both sides, and what NLTK computes changed twice (see `bleu`): six variants, of which
`legacy`, `counted` is the script under the NLTK of its day. Under it random responses score about as well as
published systems, so a table needs rows of random and constant responses.
"""

from collections.abc import Sequence
from itertools import product
from typing import ClassVar, Literal, get_args

import numpy as np

from pipeline_lib.metrics.base import Metric, RatioMetric, Score
from pipeline_lib.metrics.bleu import Smoothing, sentence_bleu
from pipeline_lib.metrics.items import Items

End = Literal["counted", "dropped"]
Variant = tuple[Smoothing, End]
ORDERS = 3
CAUTION = (
    "BLEU recall, precision and F1 are far from 0 for random responses: compare them with the rows of random and "
    "constant responses. The columns that are not named current follow the released script of DialogWAE (NLTK before "
    "3.5, end token counted). By it, random replies to a sample of Weibo posts had an F1 of .286 (measured once, "
    "outside this workflow), above the published F1 of PersonaWAE, .235, which is of other posts."
)


def three_order_bleu(items: Items, smoothing: Smoothing, end: End) -> np.ndarray:
    """Score each response against its reference: (B,) float64."""
    matches = items.ended_matches if end == "counted" else items.matches
    return sentence_bleu(matches, np.full(ORDERS, 1 / ORDERS), smoothing)


class _Sampled(Metric):
    """A metric of several responses, which has the plain name in its class's own variant.

    Attributes:
        own: that variant.
    """

    better = "higher"
    of_references = True
    caution = CAUTION
    own: ClassVar[Variant] = ("legacy", "counted")

    def __init__(self, variant: Variant | None = None) -> None:
        self.smoothing, self.end = variant or self.own
        self.signature = (
            f"{self.name}|orders:3|smooth:method7-{self.smoothing}|end:{self.end}|short:0|punctuation:counted|v:1"
        )
        if variant is not None:
            self.name = f"{self.name}|{'|'.join(variant)}"

    def companions(self) -> "Sequence[_Sampled]":
        """Name the other variants, which are recorded, and which no table shows."""
        others = set(product(get_args(Smoothing), get_args(End))) - {self.own}
        return [type(self)(variant) for variant in sorted(others)]

    def bleu(self, items: Items) -> np.ndarray:
        """Score each response in this variant: (B,) float64."""
        return three_order_bleu(items, self.smoothing, self.end)


class Recall(_Sampled):
    """The best response to each context."""

    name = "sampled-BLEU-recall"
    meaning = "BLEU of the best response to each context, end token counted"

    def __call__(self, items: Items) -> Score:
        return Score.of_items(items, items.best_of_example(self.bleu(items)))


class Precision(_Sampled):
    """The average response to each context."""

    name = "sampled-BLEU-precision"
    meaning = "Mean BLEU of the responses to each context, end token counted"

    def __call__(self, items: Items) -> Score:
        return Score.of_items(items, self.bleu(items))


class F1(_Sampled, RatioMetric):
    """The harmonic mean of recall and precision, each averaged over contexts first."""

    name = "sampled-BLEU-F1"
    meaning = "Harmonic mean of BLEU recall and precision, end token counted"

    def parts(self, items: Items) -> np.ndarray:
        """Give (n, 3) float64: the best and the mean BLEU of each example's responses, and 1."""
        values = self.bleu(items)
        best, mean = (items.by_example(own) for own in (items.best_of_example(values), values))
        return np.stack([best, mean, np.ones_like(best)], 1)

    def value(self, sums: np.ndarray) -> np.ndarray:
        """Turn (…, 3) sums into (…) F1; 0 where both means are."""
        recall, precision, n = sums[..., 0], sums[..., 1], sums[..., 2]
        product_, total = 2 * recall * precision, (recall + precision) * n
        return np.divide(product_, total, out=np.zeros_like(total), where=total > 0)


class _Current(_Sampled):
    """As NLTK computes it since 3.6, without end tokens."""

    own = ("current", "dropped")

    def companions(self) -> Sequence[_Sampled]:
        """Name none: the published form records all variants."""
        return []


class CurrentRecall(_Current, Recall):
    """The best response to each context, by the present NLTK."""

    name = "sampled-BLEU-recall-current"
    meaning = "BLEU of the best response to each context, smoothing of NLTK 3.6, no end token"


class CurrentPrecision(_Current, Precision):
    """The average response to each context, by the present NLTK."""

    name = "sampled-BLEU-precision-current"
    meaning = "Mean BLEU of the responses to each context, smoothing of NLTK 3.6, no end token"


class CurrentF1(_Current, F1):
    """The harmonic mean of these two, each averaged over contexts first."""

    name = "sampled-BLEU-F1-current"
    meaning = "Harmonic mean of BLEU recall and precision, smoothing of NLTK 3.6, no end token"
