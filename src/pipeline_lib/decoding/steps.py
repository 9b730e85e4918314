"""The interface between a model and a decoding strategy: hypotheses that grow by a word at a time.

A model offers `Steps`; a strategy (`greedy`, `sampling`, `beam`) walks them and knows nothing else of the model.
R hypotheses, T positions, V vocabulary size.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from pipeline_lib.text.ids import Ids


class Steps(Protocol):
    """R hypotheses, each with all that the model needs to continue it (states of a GRU, cached keys and values)."""

    @property
    def rows(self) -> int:
        """R: at the start one hypothesis for each response that is wanted, afterwards as many as `keep` left."""
        ...

    @property
    def device(self) -> torch.device: ...

    def next(self, words: Tensor) -> Tensor:
        """Append a word to every hypothesis: (R,) int64, the start token first -> (R, V) logits of the word after it.

        Logits are float32 or float64 and not normalised: the argmax of log-probabilities can differ from that of the
        logits by rounding. The strategy may overwrite them.
        """
        ...

    def keep(self, rows: Tensor) -> None:
        """Continue with the hypotheses ``rows`` (R',) int64, in this order; one may occur several times or never."""
        ...


Decode = Callable[[Steps], Tensor]
"""Steps -> (R, T) int64 words; after the last word the end token, then padding. A full row has no end token."""

Strategy = Callable[[Sequence[torch.Generator]], Decode]
"""Generators, each of which draws for an equal share of the rows -> a way of decoding them."""


def word_by_word(steps: Steps, ids: Ids, max_length: int, choose: Callable[[Tensor, int, Tensor], Tensor]) -> Tensor:
    """Grow every hypothesis by the word that ``choose`` picks, until all have ended.

    Whenever half of those that the model still reads have ended, these are left out: most responses are much shorter
    than the longest one.

    Args:
        max_length: most words; a hypothesis that long has no end token.
        choose: (R', V) logits, the position, from 0, and (R',) int64, which of the R hypotheses they are of -> (R',)
            int64. Pad and start have logits of minus infinity.
    Returns:
        (R, T) int64 with T <= max_length, as `Decode` returns them.
    """
    words = torch.full((steps.rows, max_length), ids.pad, device=steps.device)
    rows = torch.arange(steps.rows, device=steps.device)
    word = torch.full((steps.rows,), ids.start, device=steps.device)
    ended = torch.zeros(steps.rows, dtype=torch.bool, device=steps.device)
    position = -1
    for position in range(max_length):
        logits = steps.next(word)
        logits[:, [ids.pad, ids.start]] = -torch.inf  # they could win only in an untrained network
        word = choose(logits, position, rows).masked_fill(ended, ids.pad)
        words[rows, position] = word
        ended |= word == ids.end
        growing = len(rows) - int(ended.sum())
        if not growing:
            break
        if 2 * growing <= len(rows):
            kept = (~ended).nonzero().squeeze(1)
            steps.keep(kept)
            rows, word, ended = rows[kept], word[kept], ended[kept]
    return words[:, : position + 1]


def word_lengths(tokens: Tensor, ids: Ids) -> Tensor:
    """Count the words before the end token (or padding) in each row of (R, T): (R,) int64."""
    return ((tokens != ids.end) & (tokens != ids.pad)).long().cumprod(1).sum(1)


def log_probability(steps: Steps, tokens: Tensor, ids: Ids) -> Tensor:
    """Return log p of the words that a strategy chose, over all V units: (R,) nats.

    Args:
        steps: at its start.
        tokens: (R, T) int64, laid out as `Decode` says; the end token counts where there is one.
    """
    total = torch.zeros(steps.rows, dtype=torch.float64, device=steps.device)
    word = torch.full((steps.rows,), ids.start, device=steps.device)
    for following in tokens.unbind(1):
        nats = steps.next(word).log_softmax(-1).gather(1, following.unsqueeze(1)).squeeze(1)
        total += nats.double().masked_fill(following == ids.pad, 0)
        word = following
    return total
