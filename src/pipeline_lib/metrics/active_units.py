"""Latent dimensions that a system uses."""

from pipeline_lib.metrics.base import Metric, Score
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.latent import ACTIVE_NATS


class ActiveUnits(Metric):
    """Counted where the model is, when responses are generated; undefined without a latent variable."""

    name = "active-units"
    signature = f"active-units|kl:>{ACTIVE_NATS}|v:2"
    meaning = f"Latent dimensions whose KL, averaged over the split, is more than {ACTIVE_NATS} nats"
    fewer_digits = 2
    of_responses = False

    def __call__(self, items: Items) -> Score:
        mean = None if items.active_units is None else float(items.active_units)
        return Score(mean, None, items.n_examples)
