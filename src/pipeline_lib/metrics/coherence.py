"""Coherence: cosine of context and response after stop words are dropped."""

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config.metrics import Metrics
from pipeline_lib.metrics.base import Metric, Score
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.vectors import VectorMetric, cosines, count_unscored, required, sums, vectors_of
from pipeline_lib.text.stopwords import stop_words
from pipeline_lib.vectors.space import VectorSpace


class Coherence(VectorMetric):
    """SepaCVAE section 5 after Xu et al. (2018): cosine of the summed vectors of context and response.

    Where no word remains the public version inserts a random vector; here the item scores 0 and is counted.
    """

    name = "coherence"
    meaning = "Cosine of the word vectors of context and response"

    def __init__(
        self, space: VectorSpace, stopwords: Literal["drop", "keep"] = "drop", language: str | None = "english"
    ) -> None:
        super().__init__(space)
        self._language = language if stopwords == "drop" else None
        which = f"drop(summa.{language})" if self._language else "keep"
        self.signature = f"coherence|vectors:{space.label}|stopwords:{which}|oov:skip|empty:0|v:1"

    @classmethod
    def make(cls, settings: Metrics, vectors: VectorSpace | None, language: str | None) -> Metric:
        """Make the metric with the vectors of the corpus and the setting for stop words."""
        return cls(required(vectors, cls.name), settings.coherence_stopwords, language)

    def __call__(self, items: Items) -> Score:
        vectors, known = vectors_of(self.space, items)
        stop = self._stop_words(items.vocabulary)
        contexts = items.contexts.keep(~stop[items.contexts.ids])
        responses = items.responses.keep(~stop[items.responses.ids])
        values = cosines(sums(contexts, vectors), sums(responses, vectors))
        return Score.of_items(items, values, *count_unscored(contexts, responses, known))

    def _stop_words(self, vocabulary: pa.Array) -> np.ndarray:
        """Mark the stop words of (T,) tokens."""
        return pc.is_in(vocabulary, value_set=stop_words(self._language)).to_numpy(zero_copy_only=False)
