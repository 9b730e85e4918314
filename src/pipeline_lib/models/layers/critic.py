"""The critic of a Wasserstein autoencoder and its gradient penalty (Gulrajani et al. 2017)."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from pipeline_lib.compute.sharing import drawn, mean, whole_size

Norm = Literal["layer", "batch", "none"]
PENALTY = 10.0  # weight of the gradient penalty


class Critic(nn.Sequential):
    """(B, Z + C) z and context -> (B, 1) score, by two layers of ``hidden`` units with LeakyReLU."""

    def __init__(self, size: int, hidden: int, norm: Norm) -> None:
        def normalised() -> nn.Module:
            kinds: dict[Norm, Callable[[int], nn.Module]] = {"layer": nn.LayerNorm, "batch": nn.BatchNorm1d}
            return kinds[norm](hidden) if norm in kinds else nn.Identity()

        super().__init__(
            nn.Linear(size, hidden),
            normalised(),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, hidden),
            normalised(),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, 1, bias=False),  # a bias would cancel in every gap
        )


def critic_loss(
    critic: nn.Module,
    posterior: Tensor,
    prior: Tensor,
    context: Tensor,
    generator: torch.Generator,
    of_batch_mean: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return E D(z_post) - E D(z_prior) plus the gradient penalty, and the gap E D(z_prior) - E D(z_post) by example.

    The penalty is `PENALTY` times the squared distance from 1 of the slope of D in z, at a point between the two
    draws of each example.

    Args:
        posterior, prior: (B, Z); context: (B, C); without gradients.
        of_batch_mean: the slope is that of the whole batch's mean score, as in the released code of DialogWAE, which
            asks each example for a slope of as many as there are examples.
    Returns:
        Scalar and (B,).
    """

    def judged(z: Tensor) -> Tensor:
        return critic(torch.cat([z, context], -1)).squeeze(-1)

    share = drawn(lambda n: torch.rand((n, 1), generator=generator, device=prior.device), len(prior)).to(prior)
    between = (share * posterior + (1 - share) * prior).requires_grad_()
    scores = judged(between).sum()
    if of_batch_mean:
        scores = scores / whole_size(len(between))
    [slope] = torch.autograd.grad(scores, between, create_graph=True)
    penalty = (slope.norm(dim=1) - 1).square()
    gap = judged(prior) - judged(posterior)
    return mean(PENALTY * penalty - gap), gap.detach()
