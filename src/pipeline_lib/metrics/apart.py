"""Why a system's row stands apart: it then says so, and competes in no column."""

import numpy as np

from pipeline_lib.metrics.base import Metric, Score
from pipeline_lib.metrics.items import Items
from pipeline_lib.schemas.responses import RANDOM_START, SEEN_CORPUS


class _Apart(Metric):
    """Recorded of such systems alone."""

    of_responses = False

    def __call__(self, items: Items) -> Score:
        if items.apart != self.name:
            return Score(None, None, items.n_examples)
        return Score.of_items(items, np.ones(len(items.responses)))


class RandomStart(_Apart):
    """Of weights that were drawn."""

    name = RANDOM_START
    signature = f"{RANDOM_START}|v:1"
    meaning = "1 for a system whose pretrained weights were not given, so that it began at random"


class SeenCorpus(_Apart):
    """Of weights that were trained on the corpus."""

    name = SEEN_CORPUS
    signature = f"{SEEN_CORPUS}|v:1"
    meaning = "1 for a system whose pretrained weights were trained on the corpus, perhaps on its test examples"
