"""Whether weights that a system is known for were drawn at random, because none were given."""

import numpy as np

from pipeline_lib.metrics.base import Metric, Score
from pipeline_lib.metrics.items import Items


class RandomStart(Metric):
    """Recorded of such systems alone; they compete in no column, and their rows say so."""

    name = "random-start"
    signature = "random-start|v:1"
    meaning = "1 for a system whose pretrained weights were not given, so that it began at random"
    of_responses = False

    def __call__(self, items: Items) -> Score:
        if not items.random_start:
            return Score(None, None, items.n_examples)
        return Score.of_items(items, np.ones(len(items.responses)))
