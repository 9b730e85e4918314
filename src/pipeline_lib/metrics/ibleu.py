"""BLEU of paraphrases: likeness to the reference, less likeness to the text that is paraphrased."""

import numpy as np

from pipeline_lib.metrics.bleu import MAX_ORDER
from pipeline_lib.metrics.corpus_bleu import CorpusBleu
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.self_bleu import SelfBleu

_SUMS = 2 * MAX_ORDER + 2  # of one BLEU
_ALPHA = 0.8


class IBleu(CorpusBleu):
    """Corpus BLEU that a copy of the context does not win (Sun and Zhou 2012), with 0.8 for alpha."""

    name = "iBLEU"
    signature = "iBLEU|alpha:0.8|order:4|level:corpus|smooth:none|tok:given|punctuation:counted|v:1"
    meaning = "0.8 of corpus BLEU less 0.2 of self-BLEU"

    def parts(self, items: Items) -> np.ndarray:
        """Give (n, 20) float64: the sums of `CorpusBleu`, then those of `SelfBleu`."""
        return np.column_stack([super().parts(items), SelfBleu().parts(items)])

    def value(self, sums: np.ndarray) -> np.ndarray:
        """Turn (…, 20) sums into (…) iBLEU, which may be below 0."""
        own, copied = super().value(sums[..., :_SUMS]), SelfBleu().value(sums[..., _SUMS:])
        return _ALPHA * own - (1 - _ALPHA) * copied
