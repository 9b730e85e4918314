"""Nats that a system owes to its latent variable."""

from pipeline_lib.metrics.base import Metric, Score
from pipeline_lib.metrics.items import Items


class ZUse(Metric):
    """Loss of the reconstruction with z of another response; undefined for a system without a latent variable."""

    name = "z-use"
    signature = "z-use|kind:reconstruction|z:posterior of another response|unit:nats/example|v:1"
    meaning = "Nats that reconstruction loses per response when z comes from the posterior of another response"
    fewer_digits = 1
    of_responses = False

    def __call__(self, items: Items) -> Score:
        if items.likelihood is None or items.likelihood.z_use is None:
            return Score(None, None, items.n_examples)
        return Score.of_items(items, items.likelihood.z_use)
