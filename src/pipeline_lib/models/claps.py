"""CLAPS (Lee et al. 2021): T5 that tells its response from others, and from adversarial perturbations of its own.

A perturbation moves what each word is told from, and goes through the output layer alone. B examples of a process, W
of the whole batch, T tokens of a response, M of all responses, d width.
"""

from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline_lib.compute.precision import at_least_float32
from pipeline_lib.compute.sharing import in_order, token_mean
from pipeline_lib.config.networks import Transformer
from pipeline_lib.config.pretrained import OfTransformers
from pipeline_lib.examples.batch import Batch
from pipeline_lib.models.layers.recurrent import response_nll, valid_positions
from pipeline_lib.models.layers.transformer import masked_mean
from pipeline_lib.models.pretrained import noise_of
from pipeline_lib.models.system import Objective, needed
from pipeline_lib.models.t5 import T5
from pipeline_lib.text.units import Units


class Compared(NamedTuple):
    """Projected means of texts, (W, d) each: contexts, responses, and the two perturbations of the responses."""

    contexts: Tensor
    responses: Tensor
    negative: Tensor
    positive: Tensor


class T5Claps(T5):
    """The loss is the likelihood's, a token, and half the sum of the two contrasts, as in the released code."""

    class Options(OfTransformers):
        kind = T5.Options.kind

        temperature: float = Field(default=0.1, gt=0, description="divides the cosines of a contrast")
        negative_norm: float = Field(default=1.0, gt=0, description="norm of the perturbation that lowers likelihood")
        positive_norm: float = Field(
            default=3.0, gt=0, description="norm of each of the two perturbations of which the distant positive is made"
        )
        faithful: bool = Field(
            default=False, description="true: the second contrast has no temperature, as in the released code"
        )

    def __init__(self, units: Units, network: Transformer, options: Options) -> None:
        super().__init__(units, network, options)
        width = self.output.in_features
        self.projection = nn.Sequential(nn.Linear(width, width), nn.ReLU())
        self.temperature, self.faithful = options.temperature, options.faithful
        self.negative_norm, self.positive_norm = options.negative_norm, options.positive_norm

    def objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        response, context = batch.response, needed(batch.context, "context")
        with noise_of(generator):
            memory = self.read(context)
            states = self.states(response, memory)
        nll = response_nll(states, self.output, response.targets, response.lengths)
        inside = valid_positions(response.lengths, states.shape[1])
        encoded, told = self._mean(memory.states, context.lengths), self.told(states.detach()[inside])
        negative = self.negative(states, inside, told, response.targets)
        positive = self.positive(states, inside, told, encoded, response.lengths)
        compared = Compared(
            in_order(encoded),
            *(in_order(self._mean(one, response.lengths)) for one in (states, negative, positive)),
        )
        contrast = contrasts(compared, self.temperature, 1.0 if self.faithful else self.temperature)
        loss = token_mean(nll, response.lengths) + contrast
        return Objective(loss, {"nll": nll.detach(), "contrast": contrast.detach()})

    @torch.no_grad()
    def told(self, words: Tensor) -> Tensor:
        """Return the probabilities (M, V) of the words that (M, d) states tell."""
        return at_least_float32(self.output(words)).softmax(-1)

    @torch.no_grad()
    def negative(self, states: Tensor, inside: Tensor, told: Tensor, targets: Tensor) -> Tensor:
        """Move each state to where its word is less likely: (B, T, d), without a path to the weights.

        Args:
            states: (B, T, d), what the words are told from.
            inside: (B, T) bool, false for padding, which becomes 0.
            told: (M, V), what the states within tell.
        """
        wrong = told.scatter_add(1, targets[inside].unsqueeze(1), told.new_full((len(told), 1), -1.0))
        return _put(states, inside, states[inside] + self.negative_norm * _unit(wrong @ self.output.weight))

    def positive(self, states: Tensor, inside: Tensor, told: Tensor, encoded: Tensor, lengths: Tensor) -> Tensor:
        """Move each state away from its context, and then back to where it tells the same words.

        Args:
            encoded: (B, d), the projected means of the contexts.
            lengths: (B,), of the responses.
        Returns:
            (B, T, d), without a path to the weights.
        """
        words = states.detach()[inside].requires_grad_()
        with torch.enable_grad():
            contexts = in_order(encoded.detach())
            responses = in_order(self._mean(_put(states.detach(), inside, words), lengths))
            rows = torch.arange(len(contexts), device=contexts.device)
            loss = F.cross_entropy(_cosines(contexts, responses) / self.temperature, rows)
            [away] = torch.autograd.grad(loss, words)
        with torch.no_grad():
            far = words + self.positive_norm * _unit(away)
            back = (self.told(far) - told) @ self.output.weight  # the gradient of KL(told | told from far)
            return _put(states, inside, far - self.positive_norm * _unit(back))

    def _mean(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Project (B, T, d) states and average them over the words of each text: (B, d)."""
        return masked_mean(self.projection(states), lengths)


def contrasts(compared: Compared, temperature: float, second: float) -> Tensor:
    """Return half the sum of two contrasts, nats, a scalar: of the response, and of its distant positive.

    Each context shall be nearer to its own than to the responses to other contexts, and than to the perturbation of
    its own response that lowers likelihood.

    Args:
        temperature: of the first contrast.
        second: temperature of the second.
    """
    own = torch.arange(len(compared.contexts), device=compared.contexts.device)
    cosines = _cosines(compared.contexts, compared.responses)
    negative = F.cosine_similarity(compared.contexts, compared.negative, dim=-1).unsqueeze(1)
    positive = F.cosine_similarity(compared.contexts, compared.positive, dim=-1)
    distant = cosines.diagonal_scatter(positive)
    first = F.cross_entropy(torch.cat([cosines, negative], 1) / temperature, own)
    return (first + F.cross_entropy(torch.cat([distant, negative], 1) / second, own)) / 2


def _cosines(contexts: Tensor, responses: Tensor) -> Tensor:
    return F.cosine_similarity(contexts.unsqueeze(1), responses.unsqueeze(0), dim=-1)


def _unit(slopes: Tensor) -> Tensor:
    """Give each of (M, d) gradients the norm 1."""
    return F.normalize(slopes, dim=-1, eps=torch.finfo(slopes.dtype).tiny)


def _put(states: Tensor, inside: Tensor, words: Tensor) -> Tensor:
    """Put (M, d) words in the places of (B, T, d) states that ``inside`` marks; the others become 0."""
    return states.new_zeros(states.shape).masked_scatter(inside.unsqueeze(-1), words)
