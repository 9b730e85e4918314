"""Unevenness in the use of a system's groups."""

import numpy as np

from pipeline_lib.metrics.base import Metric, Score
from pipeline_lib.metrics.items import Items


class LargestGroup(Metric):
    """Share of the responses that were made with the most used group; undefined for a system without groups."""

    name = "largest-group"
    signature = "largest-group|level:corpus|v:1"
    meaning = "Share of the examples that fall to the most used group"

    def __call__(self, items: Items) -> Score:
        if items.group is None:
            return Score(None, None, 0)
        counts = np.unique(items.group, return_counts=True)[1]
        return Score(int(counts.max()) / len(items.group), None, items.n_examples)
