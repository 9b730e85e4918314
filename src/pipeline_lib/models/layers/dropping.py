"""Dropout in training: of words that a decoder reads, and of components of its inputs and outputs.

All noise comes from the generator of the step, so that a resumed job draws what the killed one would have drawn. It is
drawn position by position, because processes that share a batch hold texts of different longest lengths.
"""

import torch
from torch import Tensor

from pipeline_lib.compute.sharing import drawn


def keep_words(words: Tensor, keep: float, unknown: int, generator: torch.Generator) -> Tensor:
    """Replace each word but the first by ``unknown`` with probability 1 - ``keep`` (Bowman et al. 2016, section 3.1).

    Args:
        words: (B, T) int64; the first of each row, the start token, is always kept.
    """
    kept = _uniform(words.shape[0], words.shape[1], (), words, generator) < keep
    kept[:, 0] = True
    return words.masked_fill(~kept, unknown)


def dropout(values: Tensor, rate: float, generator: torch.Generator, common: bool = False) -> Tensor:
    """Set components of (B, T, E) to 0 with probability ``rate``, and scale the others so that the mean stays.

    Args:
        common: the values are not those of single examples, but common to the whole batch: every process draws the
            same.
    """
    if rate == 0:
        return values
    noise = _uniform(values.shape[0], values.shape[1], (values.shape[2],), values, generator, common)
    return values * (noise >= rate) / (1 - rate)


def _uniform(
    rows: int, steps: int, size: tuple[int, ...], like: Tensor, generator: torch.Generator, common: bool = False
) -> Tensor:
    """Draw (rows, steps, *size) uniform numbers on the device of ``like``.

    They come from a generator of their own, so that what is drawn afterwards does not depend on ``steps``.
    """
    seed = int(torch.randint(2**62, (), generator=generator, device=like.device))
    own = torch.Generator(like.device).manual_seed(seed)

    def draw(n: int) -> Tensor:
        position = [torch.rand((n, *size), generator=own, device=like.device) for _ in range(steps)]
        return torch.stack(position, 1)

    return draw(rows) if common else drawn(draw, rows)
