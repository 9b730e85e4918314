"""Diagonal Gaussians, one dimension at a time. A Gaussian is a pair of vectors: means and log-variances."""

import math

import torch
from torch import Tensor

Gaussian = tuple[Tensor, Tensor]


def halves(parameters: Tensor) -> Gaussian:
    """Read the output of a network: the first half are means, the second log-variances."""
    size = len(parameters) // 2
    return parameters[:size], parameters[size:]


def standard(size: int) -> Gaussian:
    return torch.zeros(size, dtype=torch.float64), torch.zeros(size, dtype=torch.float64)


def draw(gaussian: Gaussian, noise: Tensor) -> Tensor:
    mean, log_variance = gaussian
    return torch.stack([mean[k] + log_variance[k].exp().sqrt() * noise[k] for k in range(len(mean))])


def kl_of_units(q: Gaussian, p: Gaussian) -> Tensor:
    """Return KL(q || p) of each dimension: log(s_p / s_q) + (v_q + (m_q - m_p)^2) / (2 v_p) - 1/2."""
    return torch.stack(
        [
            (lp - lq) / 2 + (lq.exp() + (mq - mp) ** 2) / (2 * lp.exp()) - 0.5
            for mq, lq, mp, lp in zip(*q, *p, strict=True)
        ]
    )


def log_density(gaussian: Gaussian, z: Tensor) -> Tensor:
    """Return the log-density of ``z``: the sum over dimensions of the log of the printed density."""
    terms = [
        torch.log(torch.exp(-((x - m) ** 2) / (2 * v.exp())) / torch.sqrt(2 * math.pi * v.exp()))
        for x, m, v in zip(z, *gaussian, strict=True)
    ]
    return torch.stack(terms).sum()


def log_mean_weight(log_weights: list[Tensor]) -> Tensor:
    """Return the log of the mean of the weights."""
    return (torch.stack(log_weights).exp().sum() / len(log_weights)).log()
