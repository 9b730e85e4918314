"""Transformer encoder and decoder (Vaswani et al. 2017), normalised before each sub-layer.

B texts of T tokens (S in the memory that a decoder reads), width d, h heads. A decoder that writes word by word keeps
the keys and values of what it has written, so that a step costs one position and not all.

What is dropped in training is decided by a function of (B, T, d) values that the caller gives (`Drop`), so that all
noise comes from the generator of the step. Attention weights are not dropped: torch's fused attention draws its own.
"""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline_lib.models.layers.recurrent import valid_positions

Drop = Callable[[Tensor], Tensor]


def keep_all(values: Tensor) -> Tensor:
    """Drop nothing."""
    return values


class KeysValues(NamedTuple):
    """Keys and values, (B, h, T, d / h) each."""

    keys: Tensor
    values: Tensor

    def then(self, more: "KeysValues") -> "KeysValues":
        """Append positions."""
        return KeysValues(*(torch.cat(pair, 2) for pair in zip(self, more, strict=True)))

    def take(self, rows: Tensor) -> "KeysValues":
        """Choose texts; one may occur several times."""
        return KeysValues(self.keys.index_select(0, rows), self.values.index_select(0, rows))


class Attention(nn.Module):
    """Scaled dot-product attention with several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def keys_values(self, memory: Tensor) -> KeysValues:
        """Project (B, S, d) texts, to attend to."""
        return KeysValues(self._apart(self.key(memory)), self._apart(self.value(memory)))

    def forward(self, texts: Tensor, memory: KeysValues, visible: Tensor | None = None, causal: bool = False) -> Tensor:
        """Attend from (B, T, d) texts.

        Args:
            visible: bool, broadcast to (B, h, T, S): what may be attended to; None: everything.
            causal: each position attends to itself and those before it alone.
        """
        attended = F.scaled_dot_product_attention(
            self._apart(self.query(texts)), memory.keys, memory.values, visible, is_causal=causal
        )
        return self.out(attended.transpose(1, 2).flatten(2))

    def _apart(self, texts: Tensor) -> Tensor:
        return texts.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class EncoderLayer(nn.Module):
    """Self-attention, then a feed-forward network."""

    def __init__(self, width: int, heads: int, feed_forward: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.expand, self.contract = nn.Linear(width, feed_forward), nn.Linear(feed_forward, width)
        self.before_attention, self.before_expansion = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, texts: Tensor, visible: Tensor, drop: Drop) -> Tensor:
        inner = self.before_attention(texts)
        texts = texts + drop(self.attention(inner, self.attention.keys_values(inner), visible))
        return texts + drop(self._fed_forward(texts))

    def _fed_forward(self, texts: Tensor) -> Tensor:
        return self.contract(F.gelu(self.expand(self.before_expansion(texts))))


class DecoderLayer(EncoderLayer):
    """Self-attention to earlier positions, attention to the memory, then a feed-forward network."""

    def __init__(self, width: int, heads: int, feed_forward: int) -> None:
        super().__init__(width, heads, feed_forward)
        self.cross = Attention(width, heads)
        self.before_cross = nn.LayerNorm(width)

    def decode(
        self, texts: Tensor, memory: KeysValues, visible: Tensor, past: KeysValues | None, drop: Drop
    ) -> tuple[Tensor, KeysValues]:
        """Continue (B, T, d) texts; with ``past`` they are one position long, and ``past`` holds those before.

        Args:
            memory: of ``cross``.
            visible: bool, broadcast to (B, h, T, S).
        Returns:
            (B, T, d), and keys and values of all positions so far.
        """
        inner = self.before_attention(texts)
        own = self.attention.keys_values(inner)
        every = own if past is None else past.then(own)
        texts = texts + drop(self.attention(inner, every, causal=past is None))
        texts = texts + drop(self.cross(self.before_cross(texts), memory, visible))
        return texts + drop(self._fed_forward(texts)), every


class Encoder(nn.Module):
    """Some layers, and a last normalisation."""

    def __init__(self, layers: int, width: int, heads: int, feed_forward: int) -> None:
        super().__init__()
        stack = [EncoderLayer(width, heads, feed_forward) for _ in range(layers)]
        self.layers: Iterable[EncoderLayer] = nn.ModuleList(stack)  # type: ignore[assignment]  # torch types all modules alike
        self.last = nn.LayerNorm(width)

    def forward(self, texts: Tensor, lengths: Tensor, drop: Drop = keep_all) -> Tensor:
        """Encode (B, T, d) embedded texts of (B,) lengths; what is beyond them is never read: (B, T, d)."""
        visible = valid_positions(lengths, texts.shape[1])[:, None, None]
        for layer in self.layers:
            texts = layer(texts, visible, drop)
        return self.last(texts)


class Cache(NamedTuple):
    """What a decoder has read and written so far, layer by layer, and which positions of the memory count."""

    memory: list[KeysValues]
    visible: Tensor  # (B, 1, 1, S) bool
    past: list[KeysValues] | None
    origin: Tensor  # (B,) int64, the text of the beginning that each reads

    def take(self, rows: Tensor) -> "Cache":
        """Choose texts; one may occur several times."""
        past = None if self.past is None else [one.take(rows) for one in self.past]
        origin = self.origin[rows]
        if torch.equal(origin, self.origin):  # a beam mostly exchanges hypotheses of one text, which read the same
            return self._replace(past=past)
        return Cache([one.take(rows) for one in self.memory], self.visible[rows], past, origin)


class Decoder(nn.Module):
    """Some layers that read a memory, and a last normalisation."""

    def __init__(self, layers: int, width: int, heads: int, feed_forward: int) -> None:
        super().__init__()
        stack = [DecoderLayer(width, heads, feed_forward) for _ in range(layers)]
        self.layers: Iterable[DecoderLayer] = nn.ModuleList(stack)  # type: ignore[assignment]  # torch types all modules alike
        self.last = nn.LayerNorm(width)

    def start(self, memory: Tensor, lengths: Tensor) -> Cache:
        """Read the memory (B, S, d) of (B,) lengths once, for all positions to come."""
        visible = valid_positions(lengths, memory.shape[1])[:, None, None]
        origin = torch.arange(len(memory), device=memory.device)
        return Cache([layer.cross.keys_values(memory) for layer in self.layers], visible, None, origin)

    def forward(self, texts: Tensor, cache: Cache, drop: Drop = keep_all) -> tuple[Tensor, Cache]:
        """Return the states of (B, T, d) embedded texts, (B, T, d), and the cache with them.

        The first call of a cache may have any number of positions, each later one a single position.
        """
        past: list[KeysValues] = []
        for number, layer in enumerate(self.layers):
            before = None if cache.past is None else cache.past[number]
            texts, every = layer.decode(texts, cache.memory[number], cache.visible, before, drop)
            past.append(every)
        return self.last(texts), cache._replace(past=past)


def positioned(texts: Tensor, first: int = 0) -> Tensor:
    """Scale (B, T, d) embedded words by the root of d, and add sines and cosines of their positions (section 3.5).

    Args:
        first: the position of the first word.
    """
    width = texts.shape[-1]
    place = torch.arange(first, first + texts.shape[1], device=texts.device, dtype=torch.float32)
    pairs = torch.arange(0, width, 2, device=texts.device, dtype=torch.float32)
    angles = place[:, None] * torch.exp(-math.log(10_000) / width * pairs)
    waves = torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :width]
    return math.sqrt(width) * texts + waves.to(texts.dtype)


def masked_mean(states: Tensor, lengths: Tensor) -> Tensor:
    """Average (B, T, d) states over the words of each text: (B, d)."""
    inside = valid_positions(lengths, states.shape[1]).unsqueeze(-1)
    return (states * inside).sum(1) / lengths.unsqueeze(-1)
