"""The cost of one Gaussian prior for a context with several posteriors: Figure 2 of the SepaCVAE paper, in numbers.

A context whose responses put their posteriors in different places shares one prior among them. Nearest to all in KL
is the Gaussian with the mean and the variance of their mixture: between them and wider than any, so that most of what
it draws is near no response. With one prior a group, each can be its posterior, and nothing is lost.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class UnivariateGaussian(NamedTuple):
    """N(mean, sd²), of one dimension."""

    mean: float
    sd: float

    def density(self, z: ArrayLike) -> NDArray[np.float64]:
        """Return the density at each of ``z``, in the same shape."""
        return np.exp(-0.5 * ((np.asarray(z) - self.mean) / self.sd) ** 2) / (self.sd * np.sqrt(2 * np.pi))


def kl(q: UnivariateGaussian, p: UnivariateGaussian) -> float:
    """Return KL(q || p), nats."""
    return float(np.log(p.sd / q.sd) + (q.sd**2 + (q.mean - p.mean) ** 2) / (2 * p.sd**2) - 0.5)


def optimal_prior(posteriors: list[UnivariateGaussian]) -> UnivariateGaussian:
    """Return the Gaussian p that minimises the sum of KL(q || p) over the posteriors q.

    For two: mean (m1 + m2) / 2, variance (s1² + s2²) / 2 + (m1 - m2)² / 4.
    """
    mean, sd = np.array(posteriors).T
    return UnivariateGaussian(float(mean.mean()), float(np.sqrt((sd**2).mean() + mean.var())))
