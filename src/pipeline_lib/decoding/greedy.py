"""Greedy decoding: the likeliest next word, until the end token."""

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline_lib.models.layers.recurrent import Decoder
from pipeline_lib.text.units import END_ID, PAD_ID, START_ID


def greedy(
    decoder: Decoder, embeddings: Tensor, condition: Tensor, max_length: int, constant_input: Tensor | None = None
) -> Tensor:
    """Decode one response per row of ``condition`` (B, C).

    Args:
        embeddings: (V, E) word vectors that the decoder reads.
        max_length: most words; a response that long has no end token.
        constant_input: (B, X) appended to the embedded word at every step, or None.
    Returns:
        (B, T) int64 with T <= max_length; the end token and padding after the last word.
    """
    rows = len(condition)
    state = decoder.initial_state(condition)
    word = torch.full((rows,), START_ID, device=condition.device)
    ended = torch.zeros(rows, dtype=torch.bool, device=condition.device)
    words: list[Tensor] = []
    for _ in range(max_length):
        step_input = F.embedding(word, embeddings)
        if constant_input is not None:
            step_input = torch.cat([step_input, constant_input], dim=-1)
        hidden, state = decoder.gru(step_input.unsqueeze(1), state)
        logits = decoder.output(hidden.squeeze(1)).float()
        logits[:, [PAD_ID, START_ID]] = -torch.inf  # never a word; they could win only in an untrained network
        word = logits.argmax(-1).masked_fill(ended, PAD_ID)
        words.append(word)
        ended |= word == END_ID
        if bool(ended.all()):
            break
    return torch.stack(words, dim=1)


def word_lengths(tokens: Tensor) -> Tensor:
    """Words before the end token (or padding) in each row of (B, T): (B,) int64."""
    return ((tokens != END_ID) & (tokens != PAD_ID)).long().cumprod(1).sum(1)
