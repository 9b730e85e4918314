"""Plain corpus BLEU, beside the smoothed sentence scores."""

from dataclasses import replace

import numpy as np

from pipeline_lib.metrics.base import Better, RatioMetric, Score
from pipeline_lib.metrics.bleu import MAX_ORDER
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.ngrams import Matches


class CorpusBleu(RatioMetric):
    """BLEU-4 of Papineni et al. (2002) from counts pooled over the corpus, no smoothing, on the workflow's tokens."""

    name = "corpus-BLEU"
    signature = "corpus-BLEU|order:4|level:corpus|smooth:none|tok:given|punctuation:counted|v:1"
    meaning = "BLEU of the whole set, orders 1 to 4, not smoothed"
    better: Better = "higher"
    by_item = "BLEU-4"
    of_references = True

    def __call__(self, items: Items) -> Score:
        return replace(super().__call__(items), n_empty=int((items.responses.lengths == 0).sum()))

    def matches(self, items: Items) -> Matches:
        """Count what responses share with the texts that they are held against."""
        return items.matches

    def parts(self, items: Items) -> np.ndarray:
        """Give (n, 10) float64: matches and n-grams of orders 1 to 4, response and reference length."""
        found = self.matches(items)
        return items.by_example(
            np.column_stack(
                [
                    found.numerators[:, :MAX_ORDER],
                    found.denominators[:, :MAX_ORDER],
                    found.lengths,
                    found.reference_lengths,
                ]
            )
        )

    def value(self, sums: np.ndarray) -> np.ndarray:
        """Turn (…, 10) sums into (…) BLEU; 0 where an order has no match."""
        found, total = sums[..., :MAX_ORDER], sums[..., MAX_ORDER : 2 * MAX_ORDER]
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = np.log(found / total).mean(axis=-1)
            penalty = np.minimum(0, 1 - sums[..., -1] / sums[..., -2])
            return np.where((found > 0).all(axis=-1), np.exp(precision + penalty), 0.0)
