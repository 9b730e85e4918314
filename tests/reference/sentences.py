"""The RNNLM and the sentence VAE, a sentence at a time, with word dropout and dropout of components."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from reference import gaussians
from reference.examples import UNKNOWN, Example
from reference.layers import Weights, linear, log_probability, lstm_states


class Noise(NamedTuple):
    """What is dropped in training: None where nothing is.

    words (B, T), inputs (B, T, E) and outputs (B, T, H), uniform in [0, 1).
    """

    words: Tensor | None
    inputs: Tensor | None
    outputs: Tensor | None

    def of(self, row: int) -> "Noise":
        """Return the noise of one sentence; what has one row is shared by all."""
        return Noise(*(None if part is None else part[min(row, len(part) - 1)] for part in self))


def uniform(generator: torch.Generator, rows: int, steps: int, *size: int) -> Tensor:
    """Draw (rows, steps, *size) position by position, from a generator seeded by one draw of ``generator``."""
    own = torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=generator)))
    return torch.stack([torch.rand((rows, *size), generator=own) for _ in range(steps)], 1)


class Sentences:
    """RNNLM, or SentenceVAE where the weights have an encoder.

    Args:
        keep: share of the words that the decoder is shown; 0: it reads <unk> alone.
        rate: share of the components that training drops.
    """

    def __init__(self, weights: Weights, keep: float, z_input: bool, rate: float = 0.0) -> None:
        self.weights, self.keep, self.z_input, self.rate = weights, keep, z_input, rate
        self.hidden = weights["decoder.lstm.weight_hh_l0"].shape[1]

    def embedded(self, ids: list[int]) -> list[Tensor]:
        return [self.weights["decoder.embedding.weight"][i] for i in ids]

    def posterior(self, example: Example) -> gaussians.Gaussian:
        zeros = torch.zeros(self.weights["encoder.weight_hh_l0"].shape[1], dtype=torch.float64)
        last = lstm_states(self.weights, "encoder", self.embedded(example.response), zeros, zeros)[-1]
        return gaussians.halves(linear(self.weights, "recognition", last))

    def token_nll(self, example: Example, z: Tensor | None, noise: Noise) -> list[Tensor]:
        """Return -log p of each word and of the end token."""
        read = list(self.shown([word for word, _ in example.steps], noise.words))
        states = self.states(read, z, noise)
        scores = [linear(self.weights, "decoder.output", state) for state in states]
        return [-log_probability(each, target) for each, (_, target) in zip(scores, example.steps, strict=True)]

    def shown(self, words: list[int], noise: Tensor | None) -> Iterator[int]:
        """Give the words that the decoder reads; the start token is hidden from an inputless decoder alone."""
        for position, word in enumerate(words):
            is_hidden = noise is not None and position > 0 and float(noise[position]) >= self.keep
            yield UNKNOWN if self.keep == 0 or is_hidden else word

    def states(self, read: list[int], z: Tensor | None, noise: Noise) -> list[Tensor]:
        vectors = self.embedded(read)
        if z is not None and self.z_input:
            vectors = [torch.cat([vector, z]) for vector in vectors]
        start = (torch.zeros(self.hidden, dtype=torch.float64),) * 2
        if z is not None:
            initial = linear(self.weights, "initial", z)
            start = initial[: self.hidden], initial[self.hidden :]
        vectors = [self.dropped(vector, noise.inputs, t) for t, vector in enumerate(vectors)]
        states = lstm_states(self.weights, "decoder.lstm", vectors, *start)
        return [self.dropped(state, noise.outputs, t) for t, state in enumerate(states)]

    def dropped(self, vector: Tensor, noise: Tensor | None, position: int) -> Tensor:
        if noise is None:
            return vector
        kept = [float(x >= self.rate) / (1 - self.rate) for x in noise[position]]
        return torch.stack([scale * x for scale, x in zip(kept, vector, strict=True)])
