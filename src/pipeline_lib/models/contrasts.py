"""The three contrasts of Li et al. (2022): of instances, of keywords, and of keywords with sentences.

Each is -log of a softmax over a near and a far one, which equals ``softplus((near - far) / temperature)`` of distances
and cannot overflow. B examples, d width of the network, Z latent dimensions. All losses are (B,), nats.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline_lib.models.layers.distributions import Gaussian, kl_divergence

_LEAST = 1e-12  # squared distance of which a root is taken


def preference(near: Tensor, far: Tensor, temperature: float) -> Tensor:
    """Return -log(1 - softmax(near, far)[near]), the loss of distances of which ``near`` should be the smaller."""
    return F.softplus((near - far) / temperature)


def instance_contrast(positive: Gaussian, negative: Gaussian, prior: Gaussian, temperature: float) -> Tensor:
    """Bring the posterior of the response, and not that of the negative, to the prior (section 3.2).

    KL divergences are divided by Z: they grow with it, and would saturate the softmax at any usual temperature.
    """
    size = prior.mean.shape[-1]
    near, far = (kl_divergence(posterior, prior) / size for posterior in (positive, negative))
    return preference(near, far, temperature)


def keyword_contrast(anchor: Tensor, keyword: Tensor, impostor: Tensor, temperature: float) -> Tensor:
    """Bring the keyword of the response, and not its impostor, to the keyword of the context (equation 10).

    Args:
        anchor, keyword, impostor: (B, d) nodes of the keyword graph.
    """
    near, far = (F.cosine_similarity(anchor, one, dim=-1) for one in (keyword, impostor))
    return preference(-near, -far, temperature)


def mahalanobis(points: Tensor, distribution: Gaussian) -> Tensor:
    """Return the squared Mahalanobis distance of (B, Z) points from the mean, (B,); of own samples Z on average."""
    return ((points - distribution.mean).square() / distribution.log_variance.exp()).sum(-1)


def mahalanobis_contrast(
    keyword: Tensor, impostor: Tensor, posterior: Gaussian, temperature: float, root: bool = False
) -> Tensor:
    """Bring the keyword of the response, and not its impostor, to the posterior of the response (equation 11).

    The print lacks a transpose and the inverse of the covariance, and writes the prior where the text has the
    posterior. Distances are squared and divided by Z.

    Args:
        keyword, impostor: (B, Z), nodes of the keyword graph projected into the latent space.
        root: compare the distances themselves, over the root of Z.
    """
    size = posterior.mean.shape[-1]
    near, far = (mahalanobis(one, posterior) / size for one in (keyword, impostor))
    if root:  # whose gradient is infinite at the mean
        near, far = (one.clamp(min=_LEAST).sqrt() for one in (near, far))
    return preference(near, far, temperature)


def impostors(keyword: Tensor, neighbours: Tensor, allowed: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Mix the impostor of each keyword from its negative neighbours, the more alike the heavier (section 3.3).

    Args:
        keyword: (B, d), keywords of the responses.
        neighbours: (B, K, d).
        allowed: (B, K) bool, false for padding and for neighbours that are no impostors; each row has a true one.
    Returns:
        (B, d) weighted means, and (B, K) float weights, without gradient, which sum to 1.
    """
    with torch.no_grad():
        cosines = F.cosine_similarity(keyword.unsqueeze(1), neighbours, dim=-1)
        weights = (cosines / temperature).masked_fill(~allowed, -torch.inf).softmax(-1)
    return (weights.unsqueeze(-1) * neighbours).sum(1), weights
