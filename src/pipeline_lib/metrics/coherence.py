"""Coherence: cosine of context and response after stop words are dropped."""

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config.metrics import Metrics
from pipeline_lib.metrics.base import Metric, Score
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.vectors import VectorMetric, VectorSpace, cosines, count_unscored, required, sums


class Coherence(VectorMetric):
    """SepaCVAE section 5 after Xu et al. (2018): cosine of the summed vectors of context and response.

    Where no word remains the public version inserts a random vector; here the item scores 0 and is counted.
    """

    name = "coherence"
    meaning = "Cosine of the word vectors of context and response"

    def __init__(self, space: VectorSpace, stopwords: Literal["drop", "keep"] = "drop") -> None:
        super().__init__(space)
        self.stopwords = stopwords
        which = "drop(summa.english)" if stopwords == "drop" else "keep"
        self.signature = f"coherence|vectors:{space.label}|stopwords:{which}|oov:skip|empty:0|v:1"

    @classmethod
    def make(cls, settings: Metrics, vectors: VectorSpace | None) -> Metric:
        """Make the metric with the vectors of the corpus and the setting for stop words."""
        return cls(required(vectors, cls.name), settings.coherence_stopwords)

    def __call__(self, items: Items) -> Score:
        vectors, known = self.space.of(items)
        stop = self._stop_words(items.vocabulary)
        contexts = items.contexts.keep(~stop[items.contexts.ids])
        responses = items.responses.keep(~stop[items.responses.ids])
        values = cosines(sums(contexts, vectors), sums(responses, vectors))
        return Score.of_items(items, values, *count_unscored(contexts, responses, known))

    def _stop_words(self, vocabulary: pa.Array) -> np.ndarray:
        """Mark the stop words of (T,) tokens."""
        if self.stopwords == "keep":
            return np.zeros(len(vocabulary), bool)
        from summa.preprocessing.stopwords import get_stopwords_by_language  # here: it imports scipy

        words = get_stopwords_by_language("english").split()
        return pc.is_in(vocabulary, value_set=pa.array(words)).to_numpy(zero_copy_only=False)
