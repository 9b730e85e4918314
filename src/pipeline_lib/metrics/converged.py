"""Whether the training behind the responses had come to rest."""

from pipeline_lib.metrics.base import Metric, Score
from pipeline_lib.metrics.items import Items


class Converged(Metric):
    """As the training job says (`training.selection`); undefined for a system that was not trained here."""

    name = "converged"
    signature = "converged|below the best an interval before:<=1%|v:3"
    meaning = "1 if the last validation was at most 1 % below the best of an interval before or earlier, else 0"
    fewer_digits = 2
    of_responses = False

    def __call__(self, items: Items) -> Score:
        return Score(None if items.converged is None else float(items.converged), None, items.n_examples)
