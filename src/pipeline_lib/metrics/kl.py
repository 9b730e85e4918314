"""KL divergence from posterior to prior, which tells whether a latent variable is used."""

from pipeline_lib.metrics.base import Metric, Score
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.latent import COLLAPSED


class KL(Metric):
    """Nats per example, summed over latent dimensions; undefined for a system without a latent variable."""

    name = "kl"
    signature = "kl|unit:nats/example|v:1"
    meaning = f"Nats between posterior and prior of z, per example; below {COLLAPSED} the latent variable is unused"
    fewer_digits = 1
    of_responses = False

    def __call__(self, items: Items) -> Score:
        if items.likelihood is None or items.likelihood.kl is None or not items.likelihood.latent:
            return Score(None, None, items.n_examples)
        return Score.of_items(items, items.likelihood.kl)
