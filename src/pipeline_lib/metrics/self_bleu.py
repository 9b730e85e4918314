"""How much of a response is copied from its context."""

import numpy as np

from pipeline_lib.metrics.corpus_bleu import CorpusBleu
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.ngrams import Matches, count_matches


class SelfBleu(CorpusBleu):
    """Corpus BLEU of the responses against their own contexts."""

    name = "self-BLEU"
    signature = "self-BLEU|against:context|order:4|level:corpus|smooth:none|tok:given|punctuation:counted|v:1"
    meaning = "BLEU of the whole set against the contexts, orders 1 to 4, not smoothed: 1 for a copy"
    better = "lower"
    by_item = "self-BLEU"
    of_references = False

    def matches(self, items: Items) -> Matches:
        return count_matches(items.responses, items.contexts, np.arange(len(items)), len(items.vocabulary))
