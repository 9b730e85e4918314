"""Mutual information of a text and its code under the encoder (Hoffman and Johnson 2016; He et al. 2019, section 3)."""

import math

import torch
from torch import Tensor

from pipeline_lib.models.layers.distributions import Gaussian

_TOGETHER = 5_000  # texts whose posteriors make one aggregate; time grows with their square
_ROWS = 256  # densities of so many codes under all of them at once: 10 MB


def information(posterior: Gaussian, z: Tensor) -> Tensor:
    """Return ``log q(z_n | x_n) - log q(z_n)`` of each text, nats, (N,) float64; their mean estimates I(x; z).

    The aggregate q(z) is the mean of the posteriors of up to 5,000 texts; with more, each text is held against those of
    its own part, of which there are as few as possible. A text's own posterior counts, so no value is above the log of
    the size of a part.

    Args:
        posterior: of N texts.
        z: (N, Z), a draw from each.
    """
    parts = -(-len(z) // _TOGETHER)
    found = torch.empty(len(z), dtype=torch.float64)
    for first in range(parts):
        rows = torch.arange(first, len(z), parts)  # neighbours may be of one document or length
        found[rows] = _within(posterior[rows], z[rows])
    return found


def _within(posterior: Gaussian, z: Tensor) -> Tensor:
    mean, log_variance, z = posterior.mean.double(), posterior.log_variance.double(), z.double()
    precision = (-log_variance).exp()
    constant = (mean.square() * precision + log_variance).sum(-1)
    squared = (part.square() @ precision.t() - 2 * part @ (mean * precision).t() + constant for part in z.split(_ROWS))
    # the normalising constants of the densities are the same above and below
    aggregate = torch.cat([(-0.5 * each).logsumexp(-1) for each in squared]) - math.log(len(z))
    own = -0.5 * ((z - mean).square() * precision + log_variance).sum(-1)
    return own - aggregate
