"""Greedy decoding: the likeliest next word, until the end token."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline_lib.config.decoding import GreedySettings
from pipeline_lib.decoding.steps import Steps, word_by_word
from pipeline_lib.text.ids import Ids


@dataclass(frozen=True)
class Greedy:
    """One response a row, of at most ``max_length`` words."""

    ids: Ids
    max_length: int

    def __call__(self, steps: Steps) -> Tensor:
        """Return (R, T) int64 tokens, see `Decode`."""
        return word_by_word(steps, self.ids, self.max_length, lambda logits, *_: logits.argmax(-1))


def strategy(settings: GreedySettings, ids: Ids, generators: Sequence[torch.Generator]) -> Greedy:
    """Build the strategy that ``settings`` describe; nothing is drawn from ``generators``."""
    return Greedy(ids, settings.max_length)
