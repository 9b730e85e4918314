"""Embedding metrics of the best of several responses to a context, chosen by each metric (Zhao et al. 2017)."""

from dataclasses import replace

from pipeline_lib.metrics.average import Average
from pipeline_lib.metrics.base import Score
from pipeline_lib.metrics.extrema import Extrema
from pipeline_lib.metrics.greedy import Greedy
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.vectors import VectorMetric
from pipeline_lib.vectors.space import VectorSpace


class _Best(VectorMetric):
    """The greatest value among the responses to each context; more responses raise it, so compare equal numbers."""

    of_references = True
    metric: type[VectorMetric]

    def __init__(self, space: VectorSpace) -> None:
        super().__init__(space)
        self._of_response = self.metric(space)
        self.signature = f"{self.name}|{self._of_response.signature.partition('|')[2]}"

    def __call__(self, items: Items) -> Score:
        score = self._of_response(items)
        assert score.per_item is not None  # these metrics have a value for each response
        best = Score.of_items(items, items.best_of_example(score.per_item))
        return replace(best, n_empty=score.n_empty, n_oov=score.n_oov)


class BestExtrema(_Best):
    """Vector extrema."""

    name, metric = "best-Extrema", Extrema
    meaning = "Extrema of the best response to each context"


class BestGreedy(_Best):
    """Greedy matching."""

    name, metric = "best-Greedy", Greedy
    meaning = "Greedy matching of the best response to each context"


class BestAverage(_Best):
    """Mean vectors."""

    name, metric = "best-Average", Average
    meaning = "Average of the best response to each context"
