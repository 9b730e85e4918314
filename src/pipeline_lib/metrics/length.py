"""Mean length of the responses, in tokens."""

import numpy as np

from pipeline_lib.metrics.base import Metric, Score
from pipeline_lib.metrics.items import Items


class Length(Metric):
    """Tokens of a response, end token not counted."""

    name = "length"
    signature = "length|unit:token|v:1"
    meaning = "Words of a response"
    fewer_digits = 2

    def __call__(self, items: Items) -> Score:
        lengths = items.responses.lengths
        return Score.of_items(items, lengths.astype(np.float64), n_empty=int((lengths == 0).sum()))
