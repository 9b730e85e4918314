"""Seq2Seq-DU (Feng et al. 2021), adapted: it reads an utterance beside a schema, and points at the words of both.

The original tracks the state of a dialogue: its schema are the slots of a service with their descriptions. Here the
schema are the keywords of the context, best first, and GRUs take the place of its two BERT encoders.

B examples, S words of the context, K keywords, H hidden units.
"""

import torch
from torch import Tensor, nn

from pipeline_lib.config.networks import Dialogue
from pipeline_lib.config.settings import Settings
from pipeline_lib.examples.batch import Batch, Tokens
from pipeline_lib.models.layers.attentive import Attended
from pipeline_lib.models.layers.gru import GRU
from pipeline_lib.models.layers.pointing import Source
from pipeline_lib.models.layers.recurrent import valid_positions
from pipeline_lib.models.pointer import PointerSeq2Seq
from pipeline_lib.models.system import needed
from pipeline_lib.text.units import Units


class CrossAttention(nn.Module):
    """Additive attention between two texts, of which each is added to what it attends to in the other."""

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.of_words, self.of_schema = nn.Linear(size, hidden), nn.Linear(size, hidden, bias=False)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, words: Tensor, schema: Tensor, in_words: Tensor, in_schema: Tensor) -> tuple[Tensor, Tensor]:
        """Fuse encoded words (B, S, 2H) and elements of the schema (B, K, 2H).

        Args:
            in_words, in_schema: (B, S) and (B, K) bool, false for padding; each row has a true one.
        """
        scores = self.score(torch.tanh(self.of_words(words).unsqueeze(2) + self.of_schema(schema).unsqueeze(1)))
        scores = scores.squeeze(-1)
        to_schema = scores.masked_fill(~in_schema.unsqueeze(1), -torch.inf).softmax(2)
        to_words = scores.masked_fill(~in_words.unsqueeze(2), -torch.inf).softmax(1)
        return words + to_schema @ schema, schema + to_words.transpose(1, 2) @ words


class SchemaPointer(PointerSeq2Seq):
    """A pointer whose source are the context and its keywords, each encoded by a GRU of its own and then fused.

    A context without a keyword has padding as its schema, which is attended to in the fusion but never pointed at.
    """

    def __init__(self, units: Units, network: Dialogue, options: Settings) -> None:
        super().__init__(units, network, options)
        self.schema_encoder = GRU(self.words.embedding_dim, network.hidden, bidirectional=True)
        self.fusion = CrossAttention(2 * network.hidden, network.hidden)

    def _encode(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Source]:
        context, keywords = needed(batch.context, "context"), needed(batch.keywords, "keywords")
        number = (keywords != self.ids.pad).sum(1)
        elements = Tokens(keywords, number.clamp(min=1))
        words, last = self._read(self.encoder, context, generator)
        schema, _ = self._read(self.schema_encoder, elements, generator)
        in_words = valid_positions(context.lengths, words.shape[1])
        words, schema = self.fusion(words, schema, in_words, valid_positions(elements.lengths, keywords.shape[1]))
        states = torch.cat([words, schema], 1)
        inside = torch.cat([in_words, valid_positions(number, keywords.shape[1])], 1)
        ids = torch.cat([context.ids, keywords], 1)
        return self.decoder.initial(last), Source(Attended(states, self.decoder.key(states), inside), ids)
