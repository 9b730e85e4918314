"""Mixture priors (PersonaWAE section 3): Gaussian mixtures of context and of user, and their fusion.

B examples, K components, Z latent size, C size of a context's encoding, U size of a user's vector.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline_lib.compute.precision import at_least_float32
from pipeline_lib.compute.sharing import drawn, normal
from pipeline_lib.models.layers.distributions import Gaussian

TEMPERATURE = 0.1  # of the Gumbel softmax whose gradient a hard choice takes (Gu et al. 2019)


class Mixture(NamedTuple):
    """K diagonal Gaussians per example: ``logits`` (B, K), ``mean`` and ``log_variance`` (B, K, Z)."""

    logits: Tensor
    mean: Tensor
    log_variance: Tensor

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw (B, Z) from one component of each example, whose choice is hard and differentiable (eq. 5).

        The forward value is the drawn component's, the gradient that of the softmax. With K = 1 nothing is chosen, and
        no Gumbel noise is drawn.
        """
        noise = normal(self.mean[:, 0].shape, self.mean, generator).to(self.mean)
        draws = self.mean + torch.exp(0.5 * self.log_variance) * noise.unsqueeze(1)
        if self.logits.shape[1] == 1:
            return draws.squeeze(1)
        uniform = drawn(
            lambda n: torch.rand((n, self.logits.shape[1]), generator=generator, device=self.mean.device),
            len(self.logits),
        ).to(self.logits)
        gumbel = -torch.log(-torch.log(uniform.clamp(min=torch.finfo(torch.float32).tiny)))
        soft = torch.softmax((self.logits.log_softmax(-1) + gumbel) / TEMPERATURE, -1)
        hard = F.one_hot(soft.argmax(-1), soft.shape[-1]).to(soft)
        chosen = hard - soft.detach() + soft
        return (chosen.unsqueeze(-1) * draws).sum(1)


class MixtureNetwork(nn.Module):
    """Two tanh layers of Z units, then logits, means and log-variances of K Gaussians."""

    def __init__(self, size: int, latent: int, components: int) -> None:
        super().__init__()
        self.components = components
        self.trunk = trunk(size, latent)
        self.logits = nn.Linear(latent, components)
        self.parameters_of = nn.Linear(latent, 2 * components * latent)

    def forward(self, condition: Tensor) -> Mixture:
        """Turn (B, C) conditions into mixtures."""
        hidden = self.trunk(condition)
        mean, log_variance = (
            at_least_float32(self.parameters_of(hidden)).unflatten(-1, (self.components, -1)).chunk(2, -1)
        )
        return Mixture(at_least_float32(self.logits(hidden)), mean, log_variance)


class FusedPrior(nn.Module):
    """A draw for the context and one for the user, added with weights of the example (eq. 6 to 8).

    Args:
        user: size of a user's vector; 0: the prior is the context's mixture alone.
    """

    def __init__(self, context: int, user: int, latent: int, context_components: int, user_components: int) -> None:
        super().__init__()
        self.of_context = MixtureNetwork(context, latent, context_components)
        self.of_user = MixtureNetwork(user, latent, user_components) if user else None
        self.fusion = nn.Linear(context + user, 2) if user else None

    def sample(self, context: Tensor, user: Tensor | None, generator: torch.Generator) -> Tensor:
        """Draw (B, Z) given the encoded context (B, C) and the user's vector (B, U)."""
        drawn_for_context = self.of_context(context).sample(generator)
        if self.of_user is None or self.fusion is None or user is None:
            return drawn_for_context
        weights = self._weights(context, user)
        return weights[:, :1] * drawn_for_context + weights[:, 1:] * self.of_user(user).sample(generator)

    def _weights(self, context: Tensor, user: Tensor) -> Tensor:
        assert self.fusion is not None  # of a prior with users
        return at_least_float32(self.fusion(torch.cat([context, user], -1))).softmax(-1)

    def components(self, context: Tensor, user: Tensor | None) -> Mixture:
        """Return the distribution of a draw, as one mixture of all pairs of components: K² with users."""
        mixture = self.of_context(context)
        logits = mixture.logits.log_softmax(-1)
        if self.of_user is None or user is None:
            return Mixture(logits, mixture.mean, mixture.log_variance)
        other = self.of_user(user)
        weights = self._weights(context, user).unsqueeze(-1).unsqueeze(-1)
        own, theirs = weights[:, 0], weights[:, 1]
        mean = (own * mixture.mean).unsqueeze(2) + (theirs * other.mean).unsqueeze(1)
        variance = (own.square() * mixture.log_variance.exp()).unsqueeze(2)
        variance = variance + (theirs.square() * other.log_variance.exp()).unsqueeze(1)
        pairs = logits.unsqueeze(2) + other.logits.log_softmax(-1).unsqueeze(1)
        return Mixture(pairs.flatten(1), mean.flatten(1, 2), variance.log().flatten(1, 2))

    def log_density(self, z: Tensor, context: Tensor, user: Tensor | None) -> Tensor:
        """Return log p(z | context, user), nats, (B,), for (B, Z)."""
        mixture = self.components(context, user)
        parts = Gaussian(mixture.mean, mixture.log_variance).log_density(z.unsqueeze(1))
        return torch.logsumexp(mixture.logits + parts, -1)


def trunk(size: int, latent: int) -> nn.Sequential:
    """Build the two tanh layers that recognition and prior networks begin with."""
    return nn.Sequential(nn.Linear(size, latent), nn.Tanh(), nn.Linear(latent, latent), nn.Tanh())
