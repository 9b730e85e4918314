"""Validation metrics during training: perplexities, KL, active units, mutual information."""

import torch

from pipeline_lib.compute.device import seeded
from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.compute.sharing import holding
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.metrics.latent import ACTIVE_NATS
from pipeline_lib.models.layers.distributions import Gaussian
from pipeline_lib.models.layers.mutual_information import information
from pipeline_lib.models.system import Likelihood, System

_NOISE = 7_919  # marks the noise of validation apart from that of training steps


def validate(
    model: System, dataset: ExampleDataset, batch_size: int, seed: int, limit: int | None, ranks: Ranks
) -> dict[str, float]:
    """Return perplexities (pooled over tokens), mean KL and mutual information (nats per example) and active units.

    They are those of the first ``limit`` examples.

    The noise is the same at each call, so that two validations differ by the weights alone.
    """
    device = model.device
    generator = seeded(device, seed, _NOISE)
    parts: list[Likelihood] = []
    tokens = 0
    model.eval()
    with torch.no_grad():
        for rows in dataset.by_length(batch_size, limit):
            tokens += dataset.targets(rows)
            share = ranks.share(len(rows))
            batch = dataset.batch(rows, share).to(device)
            with holding(share):
                likelihood = model.likelihood(batch, generator)
            parts.append(_counted(likelihood, len(batch) if share is None else share.counted))
    model.train()

    def pooled(name: str) -> torch.Tensor:
        return ranks.concatenated(torch.cat([getattr(part, name) for part in parts])).double()

    def perplexity(name: str) -> float:
        return float((pooled(name).sum() / tokens).exp())  # of more than 709 nats a token: infinite

    values = {"ppl": perplexity("nll")}
    if parts[0].bound is not None:
        values |= {"ppl_bound": perplexity("bound"), "kl": float(pooled("kl").mean())}
    if parts[0].nll_prior is not None:
        values["ppl_prior"] = perplexity("nll_prior")
    if parts[0].kl_units is not None:
        values["active_units"] = int((pooled("kl_units").mean(0) > ACTIVE_NATS).sum())
    if parts[0].posterior_log_variance is not None:
        posterior = Gaussian(pooled("posterior_mean"), pooled("posterior_log_variance"))
        values["mutual_information"] = float(information(posterior, pooled("z")).mean())
    return values


def _counted(likelihood: Likelihood, examples: int) -> Likelihood:
    """Return what is pooled of the first ``examples``."""

    def first(part: torch.Tensor | None) -> torch.Tensor | None:
        return None if part is None else part[:examples]

    return Likelihood(
        likelihood.nll[:examples],
        first(likelihood.kl),
        first(likelihood.bound),
        first(likelihood.posterior_mean),
        kl_units=first(likelihood.kl_units),
        posterior_log_variance=first(likelihood.posterior_log_variance),
        z=first(likelihood.z),
        nll_prior=first(likelihood.nll_prior),
    )
