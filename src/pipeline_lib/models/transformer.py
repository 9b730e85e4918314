"""Transformer (Vaswani et al. 2017): an encoder reads the context, a decoder attends to it.

B examples, T tokens, S tokens of the context, d width, V vocabulary size.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline_lib.config.networks import Sizes
from pipeline_lib.config.networks import Transformer as TransformerSizes
from pipeline_lib.config.settings import Settings
from pipeline_lib.decoding.steps import Decode
from pipeline_lib.examples.batch import Batch, Response, Tokens
from pipeline_lib.models.exact import ExactSystem
from pipeline_lib.models.layers.dropping import dropout
from pipeline_lib.models.layers.recurrent import response_nll
from pipeline_lib.models.layers.transformer import Cache, Decoder, Drop, Encoder, keep_all, positioned
from pipeline_lib.models.system import Generated, System, needed
from pipeline_lib.text.units import Units


class WordProjection(nn.Linear):
    """The projection onto the V words, whose weights (V, d) are the words that encoder and decoder read."""

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=self.in_features**-0.5)
        nn.init.zeros_(self.bias)


class TransformerSystem(System):
    """Words, an encoder and a decoder; the decoder projects onto the words that both read."""

    Network: ClassVar[type[Sizes]] = TransformerSizes

    def __init__(self, units: Units, network: TransformerSizes, options: Settings) -> None:
        super().__init__(units, network, options)
        width, sizes = network.width, (network.layers, network.width, network.heads, network.feed_forward)
        self.output = WordProjection(width, self.vocabulary_size)
        self.encoder, self.decoder = Encoder(*sizes), Decoder(*sizes)
        self.rate, self.initial_range = network.dropout, network.initial_range

    def redraw(self) -> None:
        """Draw all weights anew, as at the beginning of training."""
        for module in self.modules():
            if callable(reset := getattr(module, "reset_parameters", None)):
                reset()
        if self.initial_range is not None:
            self.initialise(self.initial_range)

    def dropping(self, generator: torch.Generator) -> Drop:
        """Return what drops components in training."""
        rate = self.rate if self.training else 0.0
        return (lambda values: dropout(values, rate, generator)) if rate else keep_all

    def embedded(self, words: Tensor, first: int = 0) -> Tensor:
        """Embed (B, T) words at the positions from ``first`` on: (B, T, d)."""
        return positioned(F.embedding(words, self.output.weight), first)

    def encode(self, texts: Tokens, drop: Drop) -> Tensor:
        """Encode texts: (B, T, d)."""
        return self.encoder(drop(self.embedded(texts.ids)), texts.lengths, drop)

    def read(self, response: Response, cache: Cache, drop: Drop, beside: Tensor | None = None) -> Tensor:
        """Return -log p(response), nats, (B,).

        Args:
            cache: the memory that the decoder attends to.
            beside: (B, d) added to every word that the decoder reads, or None.
        """
        words = self.embedded(response.inputs)
        states, _ = self.decoder(drop(words if beside is None else words + beside.unsqueeze(1)), cache, drop)
        return response_nll(states, self.output, response.targets, response.lengths)


class Transformer(TransformerSystem, ExactSystem):
    """The plain encoder and decoder."""

    class Options(Settings):
        keyword: bool = Field(
            default=False, description="true: the best keyword of the context is read after it, once more"
        )

    def __init__(self, units: Units, network: TransformerSizes, options: Options) -> None:
        super().__init__(units, network, options)
        self.keyword = options.keyword

    def _context(self, batch: Batch) -> Tokens:
        context = needed(batch.context, "context")
        if not self.keyword:
            return context
        ids = F.pad(context.ids, (0, 1), value=self.ids.pad)
        ids = ids.scatter(1, context.lengths.unsqueeze(1), needed(batch.keywords, "keywords")[:, :1])
        return Tokens(ids, context.lengths + 1)

    def _cache(self, batch: Batch, drop: Drop) -> Cache:
        context = self._context(batch)
        return self.decoder.start(self.encode(context, drop), context.lengths)

    def _nll(self, batch: Batch, generator: torch.Generator) -> Tensor:
        drop = self.dropping(generator)
        return self.read(batch.response, self._cache(batch, drop), drop)

    def generate(self, batch: Batch, decode: Decode, selection: str, generator: torch.Generator) -> Generated:
        return Generated(decode(TransformerSteps(self, self._cache(batch, keep_all))))


class TransformerSteps:
    """`decoding.steps.Steps` of a `TransformerSystem`.

    Args:
        beside: (R, d) added to every word that the decoder reads, or None.
    """

    def __init__(self, system: TransformerSystem, cache: Cache, beside: Tensor | None = None) -> None:
        self._system, self._cache, self._beside, self._position = system, cache, beside, 0

    @property
    def rows(self) -> int:
        return len(self._cache.visible)

    @property
    def device(self) -> torch.device:
        return self._cache.visible.device

    def next(self, words: Tensor) -> Tensor:
        inputs = self._system.embedded(words.unsqueeze(1), self._position)
        if self._beside is not None:
            inputs = inputs + self._beside.unsqueeze(1)
        states, self._cache = self._system.decoder(inputs, self._cache)
        self._position += 1
        return self._system.output(states.squeeze(1)).float()

    def keep(self, rows: Tensor) -> None:
        self._cache = self._cache.take(rows)
        self._beside = None if self._beside is None else self._beside[rows]
