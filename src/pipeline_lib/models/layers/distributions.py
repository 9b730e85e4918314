"""Distributions of latent variables, their divergences and estimates."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from pipeline_lib.compute.precision import at_least_float32
from pipeline_lib.compute.sharing import normal


class Gaussian:
    """A diagonal Gaussian per example: ``mean`` and ``log_variance``, both (B, Z)."""

    def __init__(self, mean: Tensor, log_variance: Tensor) -> None:
        self.mean, self.log_variance = mean, log_variance

    @classmethod
    def of(cls, parameters: Tensor) -> "Gaussian":
        """Make a Gaussian of the (B, 2Z) output of a network: means first, log-variances second."""
        mean, log_variance = at_least_float32(parameters).chunk(2, dim=-1)
        return cls(mean, log_variance)

    def sample(self, noise: Tensor) -> Tensor:
        """Return ``mean + std * noise`` for standard normal ``noise`` of shape (..., B, Z)."""
        return self.mean + torch.exp(0.5 * self.log_variance) * noise

    def noise(self, generator: torch.Generator) -> Tensor:
        """Draw standard normal noise for one sample of each example, (B, Z)."""
        return normal(tuple(self.mean.shape), self.mean, generator)

    def draw(self, generator: torch.Generator) -> Tensor:
        """Draw one sample of each example, (B, Z)."""
        return self.sample(self.noise(generator))

    def log_density(self, z: Tensor) -> Tensor:
        """Return log N(z), nats, summed over Z; ``z`` (..., B, Z) gives (..., B)."""
        squared = (z - self.mean).square() / self.log_variance.exp()
        return -0.5 * (squared + self.log_variance + math.log(2 * math.pi)).sum(-1)

    def __getitem__(self, rows: Tensor) -> "Gaussian":
        return Gaussian(self.mean[rows], self.log_variance[rows])


def kl_by_unit(q: Gaussian, p: Gaussian) -> Tensor:
    """Return KL(q || p) of each latent dimension, nats, (B, Z)."""
    difference = (q.log_variance.exp() + (q.mean - p.mean).square()) / p.log_variance.exp()
    return 0.5 * (p.log_variance - q.log_variance - 1 + difference)


def kl_divergence(q: Gaussian, p: Gaussian) -> Tensor:
    """Return KL(q || p), nats, summed over latent dimensions: one number per example, (B,)."""
    return kl_by_unit(q, p).sum(-1)


def with_free_bits(kl_units: Tensor, nats: float) -> Tensor:
    """Return a KL with a floor under each dimension, ``sum_d max(nats / Z, KL_d)``, nats, (B,).

    Below its floor a dimension has no gradient. The floor is under the KL of each sentence, not under the mean over the
    batch: `fb 2` in the released code of Li et al. (2019), after Kingma et al. (2016).
    """
    return kl_units.clamp_min(nats / kl_units.shape[-1]).sum(-1)


def importance_weights(
    posterior: Gaussian, prior: Gaussian, nll: Callable[[Tensor], Tensor], generator: torch.Generator, samples: int
) -> Tensor:
    """Draw z from the posterior so many times, and return log p(z) p(response | z) / q(z), nats, (S, B).

    Args:
        nll: (B, Z) -> -log p(response | z), nats, (B,).
    """
    weights = []
    for _ in range(samples):  # one at a time: memory stays that of one pass
        z = posterior.draw(generator)
        weights.append(prior.log_density(z) - posterior.log_density(z) - nll(z))
    return torch.stack(weights)


def importance_estimate(log_weights: Tensor) -> Tensor:
    """Turn (S, B) log importance weights into -log of their mean, (B,) (Burda et al. 2016, eq. 8)."""
    return -(log_weights.logsumexp(0) - math.log(len(log_weights)))
