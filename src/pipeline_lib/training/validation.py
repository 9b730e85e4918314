"""What a model is worth on held-out pairs while it trains: perplexities, KL, active units."""

import math

import torch

from pipeline_lib.models.base import Likelihood, ResponseModel
from pipeline_lib.training.batches import PairDataset
from pipeline_lib.training.device import seeded

ACTIVE_VARIANCE = 0.01  # a latent unit is active if the variance of its posterior mean over examples exceeds this
COLLAPSED_KL = 0.1  # nats: below this the posterior has collapsed onto the prior
_NOISE = 7_919  # marks the noise of validation apart from that of training steps


def validate(
    model: ResponseModel, dataset: PairDataset, batch_size: int, seed: int, limit: int | None
) -> dict[str, float]:
    """Perplexities pooled over tokens, mean KL (nats per example) and active units on the first ``limit`` pairs.

    The noise is the same at each call, so that two validations differ by the weights alone.
    """
    generator = seeded(model.embeddings.device, seed, _NOISE)
    parts: list[Likelihood] = []
    tokens = 0
    model.eval()
    with torch.no_grad():
        for rows in dataset.by_length(batch_size, limit):
            batch = dataset.batch(rows)
            tokens += int(batch.lengths.sum())
            likelihood = model.likelihood(batch.to(model.embeddings.device), generator)
            parts.append(likelihood._replace(condition=None))  # the largest, and not needed
    model.train()
    total = {name: torch.cat([getattr(p, name) for p in parts]).double() for name in ("nll", "kl", "bound")}
    values = {
        "ppl": math.exp(float(total["nll"].sum()) / tokens),
        "ppl_bound": math.exp(float(total["bound"].sum()) / tokens),
        "kl": float(total["kl"].mean()),
    }
    if parts[0].posterior_mean is not None:
        values["active_units"] = active_units(
            torch.cat([p.posterior_mean for p in parts if p.posterior_mean is not None])
        )
    return values


def active_units(posterior_means: torch.Tensor) -> int:
    """Latent units whose posterior mean (n, Z) varies over the examples (Burda et al. 2016, section 5.1.2)."""
    return int((posterior_means.float().var(0, correction=0) > ACTIVE_VARIANCE).sum())
