"""KL divergence from posterior to prior: what the latent variables say of a response."""

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


class KLTotal(Metric):
    """KL of z plus the nats that naming the group takes, log N for N equally likely groups.

    The group is a latent variable too: a model can say by it alone what z does not.
    """

    name = "kl-total"
    signature = "kl-total|unit:nats/example|group:counted|v:1"
    meaning = "Nats between posterior and prior of z and, where a system has groups, of the group; per example"
    fewer_digits = 1
    of_responses = False

    def __call__(self, items: Items) -> Score:
        known = items.likelihood
        if known is None or known.kl is None or not (known.latent or known.group_nats is not None):
            return Score(None, None, items.n_examples)
        return Score.of_items(items, known.kl + (0 if known.group_nats is None else known.group_nats))
