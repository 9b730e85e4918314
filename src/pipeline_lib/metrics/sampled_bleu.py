"""BLEU recall, precision and F1 of several responses to a context (Zhao et al. 2017; Gu et al. 2019; Chan et al. 2019).

b is sentence BLEU of three orders with smoothing method 7; recall is the mean over contexts of the best of a context's
responses, precision that of their average, F1 the harmonic mean of the two means. The released script of DialogWAE
counts the end token as a word on both sides, and what NLTK computes changed twice (see `bleu`): six variants, of which
`legacy`, `counted` is the script under the NLTK of its day. Under it random responses score about as well as
published systems, so a table needs rows of random and constant responses.
"""

from itertools import product
from typing import ClassVar, Literal, get_args

import numpy as np

from pipeline_lib.metrics.base import Metric, RatioMetric, Score
from pipeline_lib.metrics.bleu import Smoothing, sentence_bleu
from pipeline_lib.metrics.items import Items

End = Literal["counted", "dropped"]
ORDERS = 3
CAUTION = (
    "BLEU recall, precision and F1 are far from 0 for random responses: compare them with the rows of random and "
    "constant responses."
)


def three_order_bleu(items: Items, smoothing: Smoothing, end: End) -> np.ndarray:
    """Score each response against its reference: (B,) float64."""
    matches = items.ended_matches if end == "counted" else items.matches
    return sentence_bleu(matches, np.full(ORDERS, 1 / ORDERS), smoothing)


class _Sampled(Metric):
    """A variant of recall or precision."""

    better = "higher"
    of_references = True
    caution = CAUTION
    smoothing: ClassVar[Smoothing] = "legacy"
    end: ClassVar[End] = "counted"

    def __init__(self) -> None:
        self.signature = _signature(self.name, self.smoothing, self.end)


class Recall(_Sampled):
    """The best response to each context."""

    name = "sampled-BLEU-recall"
    meaning = "BLEU of the best response to each context, end token counted"

    def __call__(self, items: Items) -> Score:
        return Score.of_items(items, items.best_of_example(three_order_bleu(items, self.smoothing, self.end)))


class Precision(_Sampled):
    """The average response to each context."""

    name = "sampled-BLEU-precision"
    meaning = "Mean BLEU of the responses to each context, end token counted"

    def __call__(self, items: Items) -> Score:
        return Score.of_items(items, three_order_bleu(items, self.smoothing, self.end))


class F1(RatioMetric):
    """The harmonic mean of recall and precision, each averaged over contexts first."""

    name = "sampled-BLEU-F1"
    better = "higher"
    of_references = True
    caution = CAUTION
    meaning = "Harmonic mean of BLEU recall and precision, end token counted"
    smoothing: ClassVar[Smoothing] = "legacy"
    end: ClassVar[End] = "counted"

    def __init__(self, variant: tuple[Smoothing, End] | None = None) -> None:
        self._variant = variant or (self.smoothing, self.end)
        if variant is not None:
            self.name = f"sampled-BLEU-F1|{'|'.join(variant)}"
        self.signature = _signature(type(self).name, *self._variant)

    def companions(self) -> "list[F1]":
        """Name the other variants, which are recorded, and which no table shows."""
        others = set(product(get_args(Smoothing), get_args(End))) - {self._variant}
        return [F1(variant) for variant in sorted(others)]

    def parts(self, items: Items) -> np.ndarray:
        """Give (n, 3) float64: the best and the mean BLEU of each example's responses, and 1."""
        values = three_order_bleu(items, *self._variant)
        best, mean = (items.by_example(own) for own in (items.best_of_example(values), values))
        return np.stack([best, mean, np.ones_like(best)], 1)

    def value(self, sums: np.ndarray) -> np.ndarray:
        """Turn (…, 3) sums into (…) F1; 0 where both means are."""
        recall, precision, n = sums[..., 0], sums[..., 1], sums[..., 2]
        product_, total = 2 * recall * precision, (recall + precision) * n
        return np.divide(product_, total, out=np.zeros_like(total), where=total > 0)

    def __call__(self, items: Items) -> Score:
        return Score(float(self.value(self.parts(items).sum(0))), None, items.n_examples)


class CurrentF1(F1):
    """As NLTK computes it since 3.6, without end tokens."""

    name = "sampled-BLEU-F1-current"
    meaning = "Harmonic mean of BLEU recall and precision, smoothing of NLTK 3.6, no end token"
    smoothing, end = "current", "dropped"

    def companions(self) -> list[F1]:
        """Name none: the published form records all variants."""
        return []


def _signature(name: str, smoothing: Smoothing, end: End) -> str:
    return f"{name}|orders:3|smooth:method7-{smoothing}|end:{end}|short:0|v:1"
