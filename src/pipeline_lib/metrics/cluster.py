"""BLEU against all that a cluster of paraphrases has: the reference, and every other text but the context.

The metrics of one reference stay beside these.
"""

from typing import TYPE_CHECKING

import numpy as np

from pipeline_lib.config.metrics import Metrics
from pipeline_lib.metrics.base import Metric, RatioMetric, Score
from pipeline_lib.metrics.bleu import Bleu1, Bleu2, Bleu3, Bleu4, SentenceBleu
from pipeline_lib.metrics.corpus_bleu import CorpusBleu
from pipeline_lib.metrics.ibleu import IBleu
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.of_clusters import ClusterMetric

if TYPE_CHECKING:
    from pipeline_lib.vectors.space import VectorSpace


class _OfCluster(ClusterMetric):
    """The metric ``plain``, in the variant that the settings choose, against all references of the cluster."""

    plain: type[SentenceBleu] | type[CorpusBleu]

    def __init__(self, of_one: Metric) -> None:
        self._of_one = of_one
        self.signature = f"{self.name}|references:cluster|{of_one.signature.partition('|')[2]}"

    @classmethod
    def make(cls, settings: Metrics, vectors: "VectorSpace | None", language: str | None) -> "_OfCluster":
        return cls(cls.plain.make(settings, vectors, language))

    def __call__(self, items: Items) -> Score:
        if items.of_cluster is None:
            return Score(None, None, items.n_examples)
        return self._of_one(items.of_cluster)


class ClusterBleu1(_OfCluster):
    """Unigrams."""

    name, plain = "cluster-BLEU-1", Bleu1
    meaning = "BLEU-1 with the other paraphrases of the cluster for further references"


class ClusterBleu2(_OfCluster):
    """Bigrams."""

    name, plain = "cluster-BLEU-2", Bleu2
    meaning = "BLEU-2 with the other paraphrases of the cluster for further references"


class ClusterBleu3(_OfCluster):
    """Trigrams."""

    name, plain = "cluster-BLEU-3", Bleu3
    meaning = "BLEU-3 with the other paraphrases of the cluster for further references"


class ClusterBleu4(_OfCluster):
    """4-grams."""

    name, plain = "cluster-BLEU-4", Bleu4
    meaning = "BLEU-4 with the other paraphrases of the cluster for further references"


class _Whole(_OfCluster, RatioMetric):
    """A metric of the whole set."""

    plain: type[CorpusBleu]
    by_item = "cluster-BLEU-4"

    def __init__(self, of_one: Metric | None = None) -> None:
        super().__init__(of_one or self.plain())

    def parts(self, items: Items) -> np.ndarray | None:
        return None if items.of_cluster is None else self.plain().parts(items.of_cluster)

    def value(self, sums: np.ndarray) -> np.ndarray:
        return self.plain().value(sums)


class ClusterCorpusBleu(_Whole):
    """Orders 1 to 4."""

    name, plain = "cluster-corpus-BLEU", CorpusBleu
    meaning = "Corpus BLEU with the other paraphrases of the cluster for further references"


class ClusterIBleu(_Whole):
    """0.8 of corpus BLEU less 0.2 of self-BLEU."""

    name, plain = "cluster-iBLEU", IBleu
    meaning = "iBLEU with the other paraphrases of the cluster for further references"
