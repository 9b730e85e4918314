"""Systems without a latent variable: how likely a response is can be computed, not only bounded."""

from abc import abstractmethod

import torch
from torch import Tensor

from pipeline_lib.compute.sharing import mean, token_mean
from pipeline_lib.examples.batch import Batch, Response
from pipeline_lib.models.system import Likelihood, Objective, System


class ExactSystem(System):
    """Base of systems that are trained on -log p(response | context), and judged by it."""

    draws = False

    def objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        nll = self._nll(batch, generator)
        return Objective(self._averaged(nll, batch.response), {"nll": nll.detach()})

    def likelihood(self, batch: Batch, generator: torch.Generator) -> Likelihood:
        nll = self._nll(batch, generator)
        return Likelihood(nll, torch.zeros_like(nll), nll, nll_prior=nll)

    def importance_nll(self, batch: Batch, generator: torch.Generator, samples: int) -> Tensor:
        return self._nll(batch, generator)  # nothing is integrated out

    @abstractmethod
    def _nll(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return -log p(response | context), nats, (B,); ``generator`` gives the noise of training."""

    def _averaged(self, nll: Tensor, response: Response) -> Tensor:
        """Return the loss of a batch, by default nats a response."""
        return mean(nll)


class TokenwiseSystem(ExactSystem):
    """Those whose loss is nats a token: a long response counts for more than a short one."""

    def _averaged(self, nll: Tensor, response: Response) -> Tensor:
        return token_mean(nll, response.lengths)
