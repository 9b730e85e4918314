"""Conditional variational autoencoders (Sohn et al. 2015; Zhao et al. 2017), without and with cluster knowledge."""

from dataclasses import replace
from functools import partial

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline_lib.compute.precision import at_least_float32
from pipeline_lib.compute.sharing import mean
from pipeline_lib.config.networks import Recurrent
from pipeline_lib.config.settings import Positive, Settings
from pipeline_lib.decoding.steps import Decode, word_lengths
from pipeline_lib.examples.batch import Batch, Response
from pipeline_lib.models.layers.distributions import (
    Gaussian,
    importance_estimate,
    importance_weights,
    kl_by_unit,
    kl_divergence,
)
from pipeline_lib.models.layers.recurrent import BagOfWords, Decoder, DecoderSteps, Encoder
from pipeline_lib.models.system import Generated, Likelihood, Objective, WordVectorSystem, needed
from pipeline_lib.text.units import Units


class PriorNetwork(nn.Sequential):
    """(B, C) context -> tanh layer -> (B, 2Z) mean and log-variance."""

    def __init__(self, context_size: int, latent: int, least_hidden: int) -> None:
        hidden = max(2 * latent, least_hidden)
        super().__init__(nn.Linear(context_size, hidden), nn.Tanh(), nn.Linear(hidden, 2 * latent))


class CVAE(WordVectorSystem):
    """z given context and response (recognition), given context (prior); the decoder starts from [c; z]."""

    class Options(Settings):
        bow: bool = Field(default=False, description="true: the words of the response are also told from [c; z]")

    def __init__(self, units: Units, network: Recurrent, options: Options) -> None:
        super().__init__(units, network, options)
        self.latent = network.latent
        self.encoder = Encoder(self.embedding_size, network.hidden)
        size = self.encoder.size
        self.recognition = self._recognition()
        self.prior = PriorNetwork(size, network.latent, network.prior_hidden)
        self.decoder = self._decoder(network)
        self.bow = BagOfWords(size + network.latent, network.bow_hidden, self.vocabulary_size) if options.bow else None

    def _recognition(self, extra: int = 0) -> nn.Linear:
        return nn.Linear(2 * self.encoder.size + extra, 2 * self.latent)

    def _decoder(self, network: Recurrent, extra: int = 0) -> Decoder:
        """Build the decoder; ``extra`` values are appended to every input word and to [c; z]."""
        return Decoder(
            self.embedding_size + extra,
            network.hidden,
            network.decoder_layers,
            self.vocabulary_size,
            self.encoder.size + self.latent + extra,
        )

    def encode_context(self, batch: Batch) -> Tensor:
        context = needed(batch.context, "context")
        return self.encoder(self.embed(context.ids), context.lengths)

    def encode_response(self, batch: Batch) -> Tensor:
        words = batch.response.words
        return self.encoder(self.embed(words.ids), words.lengths)

    def distributions(self, batch: Batch) -> tuple[Tensor, Gaussian, Gaussian]:
        """Return context encoding (B, C), posterior q(z | context, response) and prior p(z | context)."""
        context = self.encode_context(batch)
        posterior = Gaussian.of(self.recognition(torch.cat([context, self.encode_response(batch)], -1)))
        return context, posterior, Gaussian.of(self.prior(context))

    def reconstruction(self, batch: Batch, context: Tensor, z: Tensor) -> dict[str, Tensor]:
        """Return what z must explain, nats, (B,) each: ``nll`` = -log p(response | z, context) and others, if any."""
        hidden = self.decoder(self.embed(batch.response.inputs), torch.cat([context, z], -1))
        return {"nll": self.decoder.negative_log_likelihood(hidden, batch.response.targets, batch.response.lengths)}

    def objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        context, posterior, prior = self.distributions(batch)
        z = posterior.draw(generator)
        terms = self.reconstruction(batch, context, z)
        if self.bow is not None:
            terms["bow"] = self.bow(torch.cat([context, z], -1), batch.response.targets, batch.response.lengths)
        kl = kl_divergence(posterior, prior)
        loss = torch.stack([mean(term) for term in terms.values()]).sum() + weight * mean(kl)
        return Objective(loss, {name: term.detach() for name, term in (terms | {"kl": kl}).items()})

    def likelihood(self, batch: Batch, generator: torch.Generator) -> Likelihood:
        context, posterior, prior = self.distributions(batch)
        z = posterior.draw(generator)
        terms = self.reconstruction(batch, context, z)
        kl_units = kl_by_unit(posterior, prior)
        kl = kl_units.sum(-1)
        bound = torch.stack(list(terms.values())).sum(0) + kl
        return Likelihood(
            terms["nll"],
            kl,
            bound,
            posterior.mean,
            batch.group,
            torch.cat([context, z], -1),
            kl_units=kl_units,
            group_nats=terms.get("group_nll"),
        )

    def latent_use(self, batch: Batch, others: Response, generator: torch.Generator) -> Tensor:
        context, posterior, _ = self.distributions(batch)
        _, of_others, _ = self.distributions(replace(batch, response=others))
        noise = posterior.noise(generator)
        own, foreign = (self._explained(batch, context, each.sample(noise)) for each in (posterior, of_others))
        return foreign - own

    def importance_nll(self, batch: Batch, generator: torch.Generator, samples: int) -> Tensor:
        context, posterior, prior = self.distributions(batch)
        explained = partial(self._explained, batch, context)
        return importance_estimate(importance_weights(posterior, prior, explained, generator, samples))

    def _explained(self, batch: Batch, context: Tensor, z: Tensor) -> Tensor:
        """Return the sum of `reconstruction`, nats, (B,)."""
        return torch.stack(list(self.reconstruction(batch, context, z).values())).sum(0)

    def closeness(self, batch: Batch, tokens: Tensor) -> Tensor:
        """Compare by the cosine of the encodings, as the test rule of SepaCVAE does (Sun et al. 2021, section 6.1)."""
        responses, context, is_empty = self._compared(batch, tokens)
        return F.cosine_similarity(responses, context, -1).masked_fill(is_empty, -torch.inf)

    def _compared(self, batch: Batch, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode (B * K, T) responses (B, K, C) and contexts (B, 1, C), and tell which responses are empty (B, K)."""
        lengths = word_lengths(tokens, self.ids)
        responses = self.encoder(self.embed(tokens), lengths.clamp(min=1)).unflatten(0, (len(batch), -1))
        return responses, self.encode_context(batch).unsqueeze(1), (lengths == 0).view(len(batch), -1)

    def generate(self, batch: Batch, decode: Decode, selection: str, generator: torch.Generator) -> Generated:
        context = self.encode_context(batch)
        z = Gaussian.of(self.prior(context)).draw(generator)
        return Generated(decode(DecoderSteps(self.decoder, self.embeddings, torch.cat([context, z], -1))))


class ClusterCVAE(CVAE):
    """K-, S-, A-CVAE(+BOW): kgCVAE with the cluster of an example as the knowledge y (Zhao et al. 2017, section 3.3).

    The true y's embedding enters recognition and decoder in training; decoding takes the expectation of the
    embedding under the predicted p(y | c, z). The bound includes -log p(y | c, z): it is one on
    log p(response, y | context), which is never above log p(response | context).
    """

    class Options(Settings):
        bow: bool = Field(default=True, description="true: the words of the response are also told from [c; z]")
        groups: Positive = Field(default=8, description="clusters of the corpus; a run gives `clustering.groups`")
        group_size: Positive = Field(
            default=30, description="size of the embedding of y, and of the layer through which recognition reads it"
        )
        predictor_hidden: Positive = Field(default=400, description="hidden units of the predictor of y")

    def __init__(self, units: Units, network: Recurrent, options: Options) -> None:
        super().__init__(units, network, CVAE.Options(bow=options.bow))
        size, hidden = options.group_size, options.predictor_hidden
        self.group_embedding = nn.Embedding(options.groups, size)
        self.group_layer = nn.Sequential(nn.Linear(size, size), nn.Tanh())
        self.group_predictor = nn.Sequential(
            nn.Linear(self.encoder.size + self.latent, hidden), nn.Tanh(), nn.Linear(hidden, options.groups)
        )
        self.recognition = self._recognition(extra=size)
        self.decoder = self._decoder(network, extra=size)

    def distributions(self, batch: Batch) -> tuple[Tensor, Gaussian, Gaussian]:
        context = self.encode_context(batch)
        group = self.group_layer(self.group_embedding(needed(batch.group, "group")))
        posterior = Gaussian.of(self.recognition(torch.cat([context, self.encode_response(batch), group], -1)))
        return context, posterior, Gaussian.of(self.prior(context))

    def reconstruction(self, batch: Batch, context: Tensor, z: Tensor) -> dict[str, Tensor]:
        """Return ``nll`` with the true y, and ``group_nll`` = -log p(y | context, z)."""
        inputs, group = self.embed(batch.response.inputs), self.group_embedding(needed(batch.group, "group"))
        beside = group.unsqueeze(1).expand(-1, inputs.shape[1], -1)
        hidden = self.decoder(torch.cat([inputs, beside], -1), torch.cat([context, z, group], -1))
        predicted = at_least_float32(self.group_predictor(torch.cat([context, z], -1)))
        return {
            "nll": self.decoder.negative_log_likelihood(hidden, batch.response.targets, batch.response.lengths),
            "group_nll": F.cross_entropy(predicted, needed(batch.group, "group"), reduction="none"),
        }

    def generate(self, batch: Batch, decode: Decode, selection: str, generator: torch.Generator) -> Generated:
        context = self.encode_context(batch)
        z = Gaussian.of(self.prior(context)).draw(generator)
        probabilities = F.softmax(at_least_float32(self.group_predictor(torch.cat([context, z], -1))), -1)
        group = probabilities @ self.group_embedding.weight
        condition = torch.cat([context, z, group], -1)
        steps = DecoderSteps(self.decoder, self.embeddings, condition, constant_input=group)
        return Generated(decode(steps), probabilities.argmax(-1))
