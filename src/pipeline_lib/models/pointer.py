"""Seq2Seq that copies words of its context: the pointer-generator network (See et al. 2017, section 2.2)."""

from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_packed_sequence

from pipeline_lib.config.networks import Dialogue, Sizes
from pipeline_lib.config.settings import Settings
from pipeline_lib.decoding.steps import Decode
from pipeline_lib.examples.batch import Batch, Tokens
from pipeline_lib.models.exact import TokenwiseSystem
from pipeline_lib.models.layers.dropping import dropout
from pipeline_lib.models.layers.gru import GRU, packed
from pipeline_lib.models.layers.pointing import PointerDecoder, PointerSteps, Source
from pipeline_lib.models.system import Generated, needed
from pipeline_lib.text.units import Units


class PointerSeq2Seq(TokenwiseSystem):
    """A bidirectional GRU over the context, and a decoder that generates words or copies them from there.

    In training and in the likelihood, every word that the vocabulary lacks is `<unk>`, generated or copied, as for the
    other systems, with whose perplexity its own compares. In decoding, the probability of copying it goes to the word
    itself. Words start from the corpus's vectors, or are drawn; without vectors, they have as many components as the
    GRUs.
    """

    Network: ClassVar[type[Sizes]] = Dialogue

    def __init__(self, units: Units, network: Dialogue, options: Settings) -> None:
        super().__init__(units, network, options)
        self.words = _embedding(units, network)
        self.have_vectors, self.rate = units.embeddings is not None, network.dropout
        self.are_given = self.have_vectors and network.words == "given"
        size = self.words.embedding_dim
        self.encoder = GRU(size, network.hidden, bidirectional=True)
        self.decoder = PointerDecoder(size, network.hidden, self.vocabulary_size)

    def given_parameters(self) -> Iterable[Tensor]:
        return [self.words.weight] if self.are_given else []

    def undrawn_parameters(self) -> Iterable[Tensor]:
        return [*super().undrawn_parameters(), *([self.words.weight] if self.have_vectors else [])]

    def generate(self, batch: Batch, decode: Decode, selection: str, generator: torch.Generator) -> Generated:
        first, source = self._encode(batch, generator)
        return Generated(decode(PointerSteps(self.decoder, self.words, first, *self._told_apart(batch, source))))

    def _nll(self, batch: Batch, generator: torch.Generator) -> Tensor:
        first, source = self._encode(batch, generator)
        return self.decoder.nll(self._embedded(batch.response.inputs, generator), first, source, batch.response)

    def _encode(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Source]:
        """Return the decoder's first state (B, H), and what it copies from."""
        context = needed(batch.context, "context")
        states, last = self._read(self.encoder, context, generator)
        return self.decoder.initial(last), Source(self.decoder.attended(states, context.lengths), context.ids)

    def _read(self, encoder: GRU, texts: Tokens, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return the states of both directions at each word, (B, S, 2H), and the last ones (B, 2H)."""
        outputs, last = encoder(packed(self._embedded(texts.ids, generator), texts.lengths))
        states, _ = pad_packed_sequence(outputs, batch_first=True, total_length=texts.ids.shape[1])
        return states, torch.cat(list(last), -1)

    def _embedded(self, words: Tensor, generator: torch.Generator) -> Tensor:
        return dropout(self.words(words), self.rate if self.training else 0.0, generator)

    def _told_apart(self, batch: Batch, source: Source) -> tuple[Source, int, int]:
        """Number the unknown words of the contexts where they are told apart; with the id of others, and how many."""
        unknown = batch.unknown
        if unknown is None:
            return source, self.ids.unknown, 0
        own = torch.where(unknown >= 0, self.vocabulary_size + unknown, source.ids[:, : unknown.shape[1]])
        ids = torch.cat([own, source.ids[:, unknown.shape[1] :]], 1)
        return source._replace(ids=ids), self.ids.unknown, int(unknown.max()) + 1


def _embedding(units: Units, network: Dialogue) -> nn.Embedding:
    if units.embeddings is None:
        return nn.Embedding(len(units), network.hidden)
    if network.words == "drawn":
        return nn.Embedding(*units.embeddings.shape)
    return nn.Embedding.from_pretrained(torch.from_numpy(units.embeddings.astype(np.float32)), freeze=False)
