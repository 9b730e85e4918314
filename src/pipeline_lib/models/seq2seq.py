"""Seq2Seq: the response depends on the encoded context alone (no latent variable, no attention)."""

import torch
from torch import Tensor

from pipeline_lib.compute.sharing import mean
from pipeline_lib.config.networks import Recurrent
from pipeline_lib.config.settings import Settings
from pipeline_lib.decoding.steps import Decode
from pipeline_lib.examples.batch import Batch
from pipeline_lib.models.layers.recurrent import Decoder, DecoderSteps, Encoder
from pipeline_lib.models.system import Generated, Likelihood, Objective, WordVectorSystem, given
from pipeline_lib.text.units import Units


class Seq2Seq(WordVectorSystem):
    """Bidirectional GRU encoder, GRU decoder started from a linear map of the context's encoding."""

    draws = False

    def __init__(self, units: Units, network: Recurrent, options: Settings) -> None:
        super().__init__(units, network, options)
        self.encoder = Encoder(self.embedding_size, network.hidden)
        self.decoder = Decoder(
            self.embedding_size, network.hidden, network.decoder_layers, self.vocabulary_size, self.encoder.size
        )

    def _encode_context(self, batch: Batch) -> Tensor:
        context = given(batch.context)
        return self.encoder(self.embed(context.ids), context.lengths)

    def _nll(self, batch: Batch) -> Tensor:
        hidden = self.decoder(self.embed(batch.response.inputs), self._encode_context(batch))
        return self.decoder.negative_log_likelihood(hidden, batch.response.targets, batch.response.lengths)

    def objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        nll = self._nll(batch)
        return Objective(mean(nll), {"nll": nll.detach()})

    def likelihood(self, batch: Batch, generator: torch.Generator) -> Likelihood:
        nll = self._nll(batch)
        return Likelihood(nll, torch.zeros_like(nll), nll)

    def importance_nll(self, batch: Batch, generator: torch.Generator, samples: int) -> Tensor:
        return self._nll(batch)  # exact: nothing is integrated out

    def generate(self, batch: Batch, decode: Decode, selection: str, generator: torch.Generator) -> Generated:
        return Generated(decode(DecoderSteps(self.decoder, self.embeddings, self._encode_context(batch))))
