"""Ancestral sampling: each word is drawn from the model's distribution given the words before it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline_lib.config.decoding import SamplingSettings
from pipeline_lib.decoding.steps import Steps, word_by_word
from pipeline_lib.text.ids import Ids


@dataclass(frozen=True)
class Sampling:
    """One random response a row, of at most ``max_length`` words.

    A call takes ``max_length`` random numbers a row from the generator, row after row, however long the responses
    turn out. So a row's draws depend neither on the other rows nor on where they end; on CPUs, whose generator is
    sequential, a batch gives the same responses as its rows decoded one at a time. Of several generators each serves
    an equal share of the rows, the first one the first rows.

    Args:
        temperature: logits are divided by it; below 1 likely words become likelier.
        generators: on the device of the steps; a call advances them.
    """

    ids: Ids
    max_length: int
    temperature: float
    generators: tuple[torch.Generator, ...]

    def __call__(self, steps: Steps) -> Tensor:
        """Return (R, T) int64 tokens, see `Decode`."""
        shape = steps.rows // len(self.generators), self.max_length
        noise = torch.cat(
            [
                torch.rand(shape, dtype=torch.float64, generator=generator, device=steps.device)
                for generator in self.generators
            ]
        )

        def draw(logits: Tensor, position: int, rows: Tensor) -> Tensor:
            return drawn_words(logits / self.temperature, noise[rows, position])

        return word_by_word(steps, self.ids, self.max_length, draw)


def drawn_words(logits: Tensor, noise: Tensor) -> Tensor:
    """Draw a word from each row of (R, V) logits by (R,) uniform noise in [0, 1)."""
    cumulative = logits.softmax(-1, dtype=torch.float64).cumsum(-1)
    # noise < 1 keeps the threshold below the last sum; right=True passes over words of probability 0
    threshold = noise.unsqueeze(1) * cumulative[:, -1:]
    return torch.searchsorted(cumulative, threshold, right=True).squeeze(1)


def strategy(settings: SamplingSettings, ids: Ids, generators: Sequence[torch.Generator]) -> Sampling:
    """Build the strategy that ``settings`` describe."""
    return Sampling(ids, settings.max_length, settings.temperature, tuple(generators))
