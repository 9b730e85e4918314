"""KL divergence from posterior to prior, the sign of life of a latent variable."""

from pipeline_lib.metrics.base import Score
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.perplexity import is_latent

COLLAPSED_BELOW = 0.1  # nats per example


class KL:
    """Nats per example, summed over latent dimensions; undefined for a system without a latent variable."""

    name = "kl"
    signature = "kl|unit:nats/example|v:1"

    def __call__(self, items: Items) -> Score:
        if items.likelihood is None or items.likelihood.kl is None or not is_latent(items.likelihood):
            return Score(None, None, items.n_examples)
        return Score.of_items(items, items.likelihood.kl)
