"""Seq2Seq: the response depends on the encoded context alone (no latent variable, no attention)."""

import torch
from torch import Tensor

from pipeline_lib.config.networks import Recurrent
from pipeline_lib.config.settings import Settings
from pipeline_lib.decoding.steps import Decode
from pipeline_lib.examples.batch import Batch
from pipeline_lib.models.exact import ExactSystem
from pipeline_lib.models.layers.recurrent import Decoder, DecoderSteps, Encoder
from pipeline_lib.models.system import Generated, WordVectorSystem, needed
from pipeline_lib.text.units import Units


class Seq2Seq(WordVectorSystem, ExactSystem):
    """Bidirectional GRU encoder, GRU decoder started from a linear map of the context's encoding."""

    def __init__(self, units: Units, network: Recurrent, options: Settings) -> None:
        super().__init__(units, network, options)
        self.encoder = Encoder(self.embedding_size, network.hidden)
        self.decoder = Decoder(
            self.embedding_size, network.hidden, network.decoder_layers, self.vocabulary_size, self.encoder.size
        )

    def _encode_context(self, batch: Batch) -> Tensor:
        context = needed(batch.context, "context")
        return self.encoder(self.embed(context.ids), context.lengths)

    def _nll(self, batch: Batch, generator: torch.Generator) -> Tensor:
        hidden = self.decoder(self.embed(batch.response.inputs), self._encode_context(batch))
        return self.decoder.negative_log_likelihood(hidden, batch.response.targets, batch.response.lengths)

    def generate(self, batch: Batch, decode: Decode, selection: str, generator: torch.Generator) -> Generated:
        return Generated(decode(DecoderSteps(self.decoder, self.embeddings, self._encode_context(batch))))
