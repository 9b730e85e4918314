"""The encoder of BERT (Devlin et al. 2019), normalised after each sub-layer.

B texts of T tokens, width d.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline_lib.errors import PipelineError
from pipeline_lib.models.layers.recurrent import valid_positions
from pipeline_lib.models.layers.transformer import Attention, Drop, keep_all

# names of a released model -> ours, within a layer
_RENAMED = {
    "attention.self.query": "attention.query",
    "attention.self.key": "attention.key",
    "attention.self.value": "attention.value",
    "attention.output.dense": "attention.out",
    "attention.output.LayerNorm": "after_attention",
    "intermediate.dense": "expand",
    "output.dense": "contract",
    "output.LayerNorm": "after_expansion",
}


class BertSizes(NamedTuple):
    """Sizes of the encoder; ``epsilon`` is that of its normalisations."""

    layers: int
    width: int
    heads: int
    feed_forward: int
    positions: int = 512
    epsilon: float = 1e-12


class BertLayer(nn.Module):
    """Self-attention, then a feed-forward network."""

    def __init__(self, sizes: BertSizes) -> None:
        super().__init__()
        width = sizes.width
        self.attention = Attention(width, sizes.heads)
        self.expand, self.contract = nn.Linear(width, sizes.feed_forward), nn.Linear(sizes.feed_forward, width)
        self.after_attention, self.after_expansion = (nn.LayerNorm(width, sizes.epsilon) for _ in range(2))

    def forward(self, texts: Tensor, visible: Tensor, drop: Drop) -> Tensor:
        read = self.attention(texts, self.attention.keys_values(texts), visible)
        texts = self.after_attention(texts + drop(read))
        return self.after_expansion(texts + drop(self.contract(F.gelu(self.expand(texts)))))


class BertEncoder(nn.Module):
    """Words at their positions, and some layers.

    The second kind of token, which marks the second of two texts, is left out: texts are read one at a time.
    """

    def __init__(self, vocabulary_size: int, sizes: BertSizes) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary_size, sizes.width)
        self.places = nn.Embedding(sizes.positions, sizes.width)
        self.kind = nn.Parameter(torch.zeros(sizes.width))
        self.first = nn.LayerNorm(sizes.width, sizes.epsilon)
        stack = [BertLayer(sizes) for _ in range(sizes.layers)]
        self.layers: Iterable[BertLayer] = nn.ModuleList(stack)  # type: ignore[assignment]  # torch types all modules alike
        for embedding in (self.words, self.places):
            nn.init.normal_(embedding.weight, std=0.02)

    def forward(self, ids: Tensor, lengths: Tensor, drop: Drop = keep_all) -> Tensor:
        """Encode (B, T) ids of texts of (B,) lengths; what is beyond them is never read: (B, T, d)."""
        if ids.shape[1] > (most := len(self.places.weight)):
            raise PipelineError(
                f"a text of {ids.shape[1]} tokens",
                where="filtering.context_length",
                expected=f"at most {most} (max_position_embeddings of the model)",
                remedy="lower the length for this corpus, or leave the system out (`rows:`)",
            )
        visible = valid_positions(lengths, ids.shape[1])[:, None, None]
        texts = drop(self.first(self.words(ids) + self.places.weight[: ids.shape[1]] + self.kind))
        for layer in self.layers:
            texts = layer(texts, visible, drop)
        return texts


def renamed(weights: Mapping[str, Tensor], words: Tensor) -> dict[str, Tensor]:
    """Return the weights of a released BERT under the names of `BertEncoder`; what it does not need is left out.

    Args:
        weights: by the names ``embeddings.…`` and ``encoder.layer.…``.
        words: (V, d), the vectors of its units.
    """
    found = {"words.weight": words}
    for name, value in weights.items():
        part, _, rest = name.partition(".layer.")
        number, _, rest = rest.partition(".")
        module, _, kind = rest.rpartition(".")
        if part == "encoder" and module in _RENAMED:
            found[f"layers.{number}.{_RENAMED[module]}.{kind}"] = value
    for ours, theirs in (("places.weight", "position_embeddings.weight"), ("first.weight", "LayerNorm.weight")):
        if (own := weights.get(f"embeddings.{theirs}")) is not None:
            found[ours] = own
    if (bias := weights.get("embeddings.LayerNorm.bias")) is not None:
        found["first.bias"] = bias
    if (kinds := weights.get("embeddings.token_type_embeddings.weight")) is not None:
        found["kind"] = kinds[0]
    return found
