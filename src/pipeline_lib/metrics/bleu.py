"""Sentence BLEU with smoothing method 7, in the four variants that published tables mix.

Chen and Cherry (2014) method 7 is method 4 on orders without a match, then method 5 on all. What NLTK computes under
that name changed after version 3.4.3, and papers weight the orders in two ways:

=============  =======================================================
legacy         method 4 as in NLTK 3.4.3: ``p_n = 1 / (n - 1 + 5 / ln len)``, not divided by the number of n-grams
current        method 4 as in NLTK 3.5 and later: ``p_n = ln len / (5 · 2^k · n-grams)``, k counting the empty orders
cumulative     BLEU-n is the geometric mean of orders 1 to n
onehot         BLEU-n is order n alone
=============  =======================================================

Always four orders are smoothed, whatever n: with three weights NLTK would look ahead to the 5-grams after order 3.
Values above 1 are possible: identical sentences score 1.333, 1.217, 1.154 and 1.117 cumulatively.
"""

from typing import Literal

import numpy as np

from pipeline_lib.metrics.base import Score
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.ngrams import Matches

Smoothing = Literal["legacy", "current"]
Weights = Literal["cumulative", "onehot"]
MAX_ORDER = 4
K = 5  # the constant of method 4


class SentenceBleu:
    """BLEU-``order`` averaged over responses; a response of at most one token scores 0, as in SepaCVAE's code."""

    def __init__(self, order: int, smoothing: Smoothing, weights: Weights, name: str = "") -> None:
        self.order, self.smoothing, self.weights = order, smoothing, weights
        self.name = name or f"BLEU-{order}|{smoothing}|{weights}"
        self.signature = f"BLEU-{order}|level:sentence|smooth:method7-{smoothing}|weights:{weights}|short:0|v:1"

    def __call__(self, items: Items) -> Score:
        weights = np.zeros(MAX_ORDER)
        if self.weights == "cumulative":
            weights[: self.order] = 1 / self.order
        else:
            weights[self.order - 1] = 1
        scores = sentence_bleu(items.matches, weights, self.smoothing)
        return Score.of_items(items, scores, n_empty=int((items.responses.lengths == 0).sum()))


def sentence_bleu(matches: Matches, weights: np.ndarray, smoothing: Smoothing) -> np.ndarray:
    """(B,) float64 BLEU of each response with (4,) ``weights``, smoothing method 7 and the brevity penalty."""
    scored = (matches.lengths > 1) & (matches.numerators[:, 0] > 0)
    precisions = smoothed_precisions(matches, smoothing)
    with np.errstate(divide="ignore"):
        penalty = np.exp(np.minimum(0, 1 - matches.reference_lengths / matches.lengths))
    return np.where(scored, penalty * np.exp(np.log(precisions) @ weights), 0.0)


def smoothed_precisions(matches: Matches, smoothing: Smoothing) -> np.ndarray:
    """(B, 4) float64, all above 0; rows of fewer than two tokens or without a common word carry no meaning."""
    denominators = np.maximum(matches.denominators, 1)
    precisions = matches.numerators / denominators
    length = np.log(np.maximum(matches.lengths, 2))[:, None]
    empty = matches.numerators[:, :MAX_ORDER] == 0
    if smoothing == "legacy":
        filling = 1 / (np.arange(MAX_ORDER) + K / length)
    else:
        filling = length / (K * 2.0 ** np.cumsum(empty, axis=1)) / denominators[:, :MAX_ORDER]
    precisions[:, :MAX_ORDER] = np.where(empty, filling, precisions[:, :MAX_ORDER])
    previous = precisions[:, 0] + 1
    smoothed = np.empty((len(precisions), MAX_ORDER))
    for order in range(MAX_ORDER):  # method 5: the average with the smoothed order below and the plain one above
        previous = (previous + precisions[:, order] + precisions[:, order + 1]) / 3
        smoothed[:, order] = previous
    return smoothed
