"""Seq2Seq: the response depends on the encoded context alone (no latent variable, no attention)."""

import torch
from torch import Tensor

from pipeline_lib.compute.sharing import mean
from pipeline_lib.config.networks import Recurrent
from pipeline_lib.config.settings import Settings
from pipeline_lib.decoding.greedy import greedy
from pipeline_lib.examples.batch import Batch
from pipeline_lib.models.layers.recurrent import Decoder, Encoder
from pipeline_lib.models.system import Generated, Likelihood, Objective, System


class Seq2Seq(System):
    """Bidirectional GRU encoder, GRU decoder started from a linear map of the context's encoding."""

    def __init__(self, embeddings: Tensor, network: Recurrent, groups: int, options: Settings) -> None:
        super().__init__(embeddings, network, groups, options)
        vocabulary_size, embedding_size = embeddings.shape
        self.encoder = Encoder(embedding_size, network.hidden)
        self.decoder = Decoder(
            embedding_size, network.hidden, network.decoder_layers, vocabulary_size, self.encoder.size
        )

    def _nll(self, batch: Batch) -> Tensor:
        context = self.encoder(self.embed(batch.context), batch.context_lengths)
        hidden = self.decoder(self.embed(batch.inputs), context)
        return self.decoder.negative_log_likelihood(hidden, batch.targets, batch.lengths)

    def objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        nll = self._nll(batch)
        return Objective(mean(nll), {"nll": nll.detach()})

    def likelihood(self, batch: Batch, generator: torch.Generator) -> Likelihood:
        nll = self._nll(batch)
        return Likelihood(nll, torch.zeros_like(nll), nll)

    def importance_nll(self, batch: Batch, generator: torch.Generator, samples: int) -> Tensor:
        return self._nll(batch)  # exact: nothing is integrated out

    def generate(self, batch: Batch, selection: str, max_length: int, generator: torch.Generator) -> Generated:
        context = self.encoder(self.embed(batch.context), batch.context_lengths)
        return Generated(greedy(self.decoder, self.embeddings, context, max_length))
