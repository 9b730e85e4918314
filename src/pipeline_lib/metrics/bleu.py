"""Sentence BLEU with smoothing method 7, in the six variants that published tables mix.

Chen and Cherry (2014) method 7 is method 4 on orders without a match, then method 5 on all. What NLTK computes under
that name changed twice, and papers weight the orders in two ways:

=============  =======================================================
legacy         method 4 as in NLTK 3.4.3 to 3.4.5: ``p_n = 1 / (n - 1 + 5 / ln len)``, not divided by the n-grams
inverted       method 4 as in NLTK 3.5 alone: ``p_n = (n - 1 + 5 / ln len) / n-grams``, the inverse of what was meant
current        method 4 as in NLTK 3.6 and later: ``p_n = ln len / (5 · 2^k · n-grams)``, k counting the empty orders
cumulative     BLEU-n is the geometric mean of orders 1 to n
onehot         BLEU-n is order n alone
=============  =======================================================

Always four orders are smoothed, whatever n: with three weights NLTK would look ahead to the 5-grams after order 3
(`sampled_bleu` does).
Values above 1 are possible: identical sentences score 1.333, 1.217, 1.154 and 1.117 cumulatively. Under ``inverted``
a response that shares one word with its reference may, too.
"""

from itertools import product
from typing import Literal, get_args

import numpy as np

from pipeline_lib.config.metrics import Metrics
from pipeline_lib.metrics.base import Metric, Score
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.ngrams import Matches

Smoothing = Literal["legacy", "inverted", "current"]
Weights = Literal["cumulative", "onehot"]
MAX_ORDER = 4
K = 5  # the constant of method 4


class SentenceBleu(Metric):
    """BLEU-``order`` averaged over responses; a response of at most one token scores 0, as in SepaCVAE's code."""

    better = "higher"
    of_references = True
    caution = "Smoothed sentence BLEU is far from 0 for random responses and may exceed 1; see its signature."
    order: int

    def __init__(self, smoothing: Smoothing, weights: Weights, is_chosen: bool = True) -> None:
        self.smoothing, self.weights, self.is_chosen = smoothing, weights, is_chosen
        if not is_chosen:
            self.name = f"BLEU-{self.order}|{smoothing}|{weights}"
        variant = f"smooth:method7-{smoothing}|weights:{weights}"
        self.signature = f"BLEU-{self.order}|level:sentence|{variant}|short:0|punctuation:counted|v:1"

    @classmethod
    def make(cls, settings: Metrics, vectors: object, language: object) -> "SentenceBleu":
        """Make the variant that the settings choose; it has the plain name."""
        return cls(settings.bleu_smoothing, settings.bleu_weights)

    def companions(self) -> "list[SentenceBleu]":
        """Name the variants that the settings did not choose: they are recorded, and no table shows them."""
        others = set(product(get_args(Smoothing), get_args(Weights))) - {(self.smoothing, self.weights)}
        return [type(self)(*variant, is_chosen=False) for variant in sorted(others)]

    def __call__(self, items: Items) -> Score:
        weights = np.zeros(MAX_ORDER)
        if self.weights == "cumulative":
            weights[: self.order] = 1 / self.order
        else:
            weights[self.order - 1] = 1
        scores = sentence_bleu(items.matches, weights, self.smoothing)
        return Score.of_items(items, scores, n_empty=int((items.responses.lengths == 0).sum()))


class Bleu1(SentenceBleu):
    """Unigrams."""

    name, order = "BLEU-1", 1
    meaning = "Smoothed sentence BLEU, unigrams"


class Bleu2(SentenceBleu):
    """Up to bigrams."""

    name, order = "BLEU-2", 2
    meaning = "Smoothed sentence BLEU, up to bigrams"


class Bleu3(SentenceBleu):
    """Up to trigrams."""

    name, order = "BLEU-3", 3
    meaning = "Smoothed sentence BLEU, up to trigrams"


class Bleu4(SentenceBleu):
    """Up to 4-grams."""

    name, order = "BLEU-4", 4
    meaning = "Smoothed sentence BLEU, up to 4-grams"


def sentence_bleu(matches: Matches, weights: np.ndarray, smoothing: Smoothing) -> np.ndarray:
    """Score each response: (B,) float64 BLEU with (N,) ``weights``, smoothing method 7 of N orders, brevity penalty."""
    scored = (matches.lengths > 1) & (matches.numerators[:, 0] > 0)
    precisions = smoothed_precisions(matches, smoothing, len(weights))
    with np.errstate(divide="ignore"):
        penalty = np.exp(np.minimum(0, 1 - matches.reference_lengths / matches.lengths))
    return np.where(scored, penalty * np.exp(np.log(precisions) @ weights), 0.0)


def smoothed_precisions(matches: Matches, smoothing: Smoothing, orders: int = MAX_ORDER) -> np.ndarray:
    """Smooth the precisions of ``orders`` orders.

    The last one looks ahead to the 5-grams, however many orders there are, as NLTK does.

    Returns:
        (B, orders) float64 above 0; rows of fewer than two tokens or no common word mean nothing.
    """
    denominators = np.maximum(matches.denominators, 1)
    precisions = matches.numerators / denominators
    length = np.log(np.maximum(matches.lengths, 2))[:, None]
    empty = matches.numerators[:, :orders] == 0
    if smoothing == "current":
        filling = length / (K * 2.0 ** np.cumsum(empty, axis=1)) / denominators[:, :orders]
    else:
        rank = np.arange(orders) + K / length
        filling = 1 / rank if smoothing == "legacy" else rank / denominators[:, :orders]
    precisions[:, :orders] = np.where(empty, filling, precisions[:, :orders])
    ahead = [*range(1, orders), MAX_ORDER]
    previous = precisions[:, 0] + 1
    smoothed = np.empty((len(precisions), orders))
    for order in range(orders):  # method 5: the average with the smoothed order below and the plain one above
        previous = (previous + precisions[:, order] + precisions[:, ahead[order]]) / 3
        smoothed[:, order] = previous
    return smoothed
