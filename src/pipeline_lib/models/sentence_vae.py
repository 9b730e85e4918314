"""Language models of single sentences: the RNNLM and the sentence VAE (Bowman et al. 2016, sections 2 and 3).

B sentences, T steps, E embedding size, H hidden units, Z latent size, V units. All likelihoods are nats a sentence, the
end token counted. Of a latent system ``nll`` is the reconstruction; what the paper prints as a VAE's NLL is ``bound``.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from pipeline_lib.compute.precision import at_least_float32
from pipeline_lib.compute.sharing import mean, normal
from pipeline_lib.config.networks import LanguageModel, Sizes
from pipeline_lib.config.settings import Fraction, Settings
from pipeline_lib.decoding.steps import Decode
from pipeline_lib.examples.batch import Batch, Response
from pipeline_lib.models.layers import projection
from pipeline_lib.models.layers.distributions import Gaussian, importance_estimate, kl_by_unit, kl_divergence
from pipeline_lib.models.layers.dropping import dropout, keep_words
from pipeline_lib.models.layers.lstm import LSTM, State
from pipeline_lib.models.layers.recurrent import sum_by_example, valid_positions
from pipeline_lib.models.system import Generated, Likelihood, Objective, System
from pipeline_lib.text.units import Units


class SentenceDecoder(nn.Module):
    """An LSTM decoder over learnt embeddings, standard or inputless.

    A standard decoder reads the word before, which in training becomes ``<unk>`` with probability 1 - ``keep``. With
    ``keep`` 0 it is inputless: it reads ``<unk>`` at every step, the first included, in training, scoring and decoding.
    """

    def __init__(self, units: Units, network: LanguageModel, keep: float, reads_z: bool = False) -> None:
        super().__init__()
        self.ids, self.keep, self.rate = units.ids, keep, network.dropout
        self.embedding = nn.Embedding(len(units), network.embedding)  # the dictionary of Figure 1, an encoder's too
        self.lstm = LSTM(network.embedding + (network.latent if reads_z else 0), network.hidden)
        self.output = nn.Linear(network.hidden, len(units))
        self.reads_z = reads_z

    @property
    def inputless(self) -> bool:
        return self.keep == 0

    def forward(self, response: Response, state: State | None, z: Tensor | None, noise: torch.Generator) -> Tensor:
        """Return -log p(word) of every word and end token, nats, (sum of lengths,), sentence by sentence."""
        valid = valid_positions(response.lengths, response.targets.shape[1])
        if state is None and self.inputless:
            return self._by_position(response.targets, valid, noise)
        hidden = self._hidden(self.inputs(response.inputs, noise), state, z, noise)
        return projection.likelihood(hidden[valid], self.output, response.targets[valid])

    def inputs(self, words: Tensor, noise: torch.Generator) -> Tensor:
        """Turn (B, T) previous words, the start token first, into the (B, T) words that the decoder reads."""
        if self.inputless:
            return torch.full_like(words, self.ids.unknown)
        if self.training and self.keep < 1:
            return keep_words(words, self.keep, self.ids.unknown, noise)
        return words

    def read(self, words: Tensor, z: Tensor | None) -> Tensor:
        """Embed (B, T) words as (B, T, E), or (B, T, E + Z) where the decoder reads z beside each."""
        embedded = self.embedding(words)
        if not self.reads_z or z is None:
            return embedded
        return torch.cat([embedded, z.unsqueeze(1).expand(-1, words.shape[1], -1)], -1)

    def _hidden(self, words: Tensor, state: State | None, z: Tensor | None, noise: torch.Generator) -> Tensor:
        rate = self.rate if self.training else 0
        outputs = self.lstm.outputs(dropout(self.read(words, z), rate, noise), state)
        return dropout(outputs, rate, noise)

    def _by_position(self, targets: Tensor, valid: Tensor, noise: torch.Generator) -> Tensor:
        """Score words by their position alone: without words or z, sentences share states: T rows, not B * T."""
        words = torch.full((1, targets.shape[1]), self.ids.unknown, device=targets.device)
        log_probabilities = torch.log_softmax(
            at_least_float32(self.output(self._hidden(words, None, None, noise)[0])), -1
        )
        return -log_probabilities.gather(1, targets.t()).t()[valid]


class SentenceSteps:
    """`decoding.steps.Steps` of a `SentenceDecoder`."""

    def __init__(self, decoder: SentenceDecoder, state: State, z: Tensor | None) -> None:
        self._decoder, self._state, self._z = decoder, state, z

    @property
    def rows(self) -> int:
        return self._state[0].shape[1]

    @property
    def device(self) -> torch.device:
        return self._state[0].device

    def next(self, words: Tensor) -> Tensor:
        if self._decoder.inputless:
            words = torch.full_like(words, self._decoder.ids.unknown)
        hidden, self._state = self._decoder.lstm(self._decoder.read(words.unsqueeze(1), self._z), self._state)
        return at_least_float32(self._decoder.output(hidden.squeeze(1)))

    def keep(self, rows: Tensor) -> None:
        self._state = self._state[0][:, rows], self._state[1][:, rows]
        self._z = None if self._z is None else self._z[rows]


class RNNLM(System):
    """Recurrent language model: no latent variable, so its likelihood is exact."""

    class Options(Settings):
        keep: Fraction = Field(default=1.0, description="share of the words that the decoder is shown; 0: inputless")

    Network: ClassVar[type[Sizes]] = LanguageModel

    def __init__(self, units: Units, network: LanguageModel, options: Options) -> None:
        super().__init__(units, network, options)
        self.decoder = SentenceDecoder(units, network, options.keep)

    def _token_nll(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return self.decoder(batch.response, None, None, generator)

    def objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        nll = sum_by_example(self._token_nll(batch, generator), batch.response.lengths)
        return Objective(mean(nll), {"nll": nll.detach()})

    def likelihood(self, batch: Batch, generator: torch.Generator) -> Likelihood:
        tokens, lengths = self._token_nll(batch, generator), batch.response.lengths
        nll = sum_by_example(tokens, lengths)
        return Likelihood(nll, torch.zeros_like(nll), nll, end=tokens[lengths.cumsum(0) - 1])

    def importance_nll(self, batch: Batch, generator: torch.Generator, samples: int) -> Tensor:
        return self.likelihood(batch, generator).nll  # exact: nothing is integrated out

    def generate(self, batch: Batch, decode: Decode, selection: str, generator: torch.Generator) -> Generated:
        """Write one sentence for each example, whatever it says: there is nothing to answer."""
        zeros = self.decoder.output.weight.new_zeros(1, len(batch), self.decoder.lstm.hidden_size)
        return Generated(decode(SentenceSteps(self.decoder, (zeros, zeros), None)))


class SentenceVAE(System):
    """A Gaussian code for each sentence, from which the decoder starts (section 3, Figure 1).

    z ~ N(0, I); q(z | sentence) is a diagonal Gaussian, linear in the encoder's last state; (h, c) of the decoder are
    linear in z. Encoder and decoder share one embedding.
    """

    class Options(Settings):
        keep: Fraction = Field(default=1.0, description="share of the words that the decoder is shown; 0: inputless")

    Network: ClassVar[type[Sizes]] = LanguageModel

    def __init__(self, units: Units, network: LanguageModel, options: Options) -> None:
        super().__init__(units, network, options)
        self.latent = network.latent
        self.encoder = LSTM(network.embedding, network.hidden)
        self.recognition = nn.Linear(network.hidden, 2 * network.latent)
        self.initial = nn.Linear(network.latent, 2 * network.hidden)
        self.decoder = SentenceDecoder(units, network, options.keep, network.z_input)

    def encode(self, batch: Batch) -> Gaussian:
        """Return q(z | sentence)."""
        words = batch.response.words
        return Gaussian.of(self.recognition(self.encoder.last_hidden(self.decoder.embedding(words.ids), words.lengths)))

    def _state(self, z: Tensor) -> State:
        """Turn (B, Z) into the decoder's first h and c, (1, B, H) each."""
        h, c = self.initial(z).unsqueeze(0).chunk(2, -1)
        return h.contiguous(), c.contiguous()

    def _token_nll(self, batch: Batch, z: Tensor, generator: torch.Generator) -> Tensor:
        return self.decoder(batch.response, self._state(z), z, generator)

    def objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        """Sum reconstruction and annealed KL to N(0, I) over each sentence, then average them (equation 1)."""
        posterior = self.encode(batch)
        z = posterior.sample(normal(tuple(posterior.mean.shape), posterior.mean, generator))
        nll = sum_by_example(self._token_nll(batch, z, generator), batch.response.lengths)
        kl = kl_divergence(posterior, standard(posterior.mean))
        return Objective(mean(nll) + weight * mean(kl), {"nll": nll.detach(), "kl": kl.detach()})

    def likelihood(self, batch: Batch, generator: torch.Generator) -> Likelihood:
        posterior, lengths = self.encode(batch), batch.response.lengths
        z = posterior.sample(normal(tuple(posterior.mean.shape), posterior.mean, generator))
        tokens = self._token_nll(batch, z, generator)
        nll, kl_units = sum_by_example(tokens, lengths), kl_by_unit(posterior, standard(posterior.mean))
        kl = kl_units.sum(-1)
        return Likelihood(nll, kl, nll + kl, posterior.mean, end=tokens[lengths.cumsum(0) - 1], kl_units=kl_units)

    def latent_use(self, batch: Batch, others: Response, generator: torch.Generator) -> Tensor:
        posterior, of_others = self.encode(batch), self.encode(Batch(others))
        noise = normal(tuple(posterior.mean.shape), posterior.mean, generator)
        own, foreign = (
            sum_by_example(self._token_nll(batch, each.sample(noise), generator), batch.response.lengths)
            for each in (posterior, of_others)
        )
        return foreign - own

    def importance_nll(self, batch: Batch, generator: torch.Generator, samples: int) -> Tensor:
        posterior = self.encode(batch)
        prior = standard(posterior.mean)
        weights = []
        for _ in range(samples):  # one at a time: memory stays that of one pass
            z = posterior.sample(normal(tuple(posterior.mean.shape), posterior.mean, generator))
            nll = sum_by_example(self._token_nll(batch, z, generator), batch.response.lengths)
            weights.append(prior.log_density(z) - posterior.log_density(z) - nll)
        return importance_estimate(torch.stack(weights))

    def generate(self, batch: Batch, decode: Decode, selection: str, generator: torch.Generator) -> Generated:
        """Write a sentence from a draw of the prior for each example."""
        z = torch.randn((len(batch), self.latent), generator=generator, device=self.device).to(self.initial.weight)
        return Generated(decode(SentenceSteps(self.decoder, self._state(z), z)))


def standard(like: Tensor) -> Gaussian:
    """Return N(0, I) of the shape (B, Z) of ``like``."""
    return Gaussian(torch.zeros_like(like), torch.zeros_like(like))
