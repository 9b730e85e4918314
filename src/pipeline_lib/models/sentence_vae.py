"""Systems of single sentences (Bowman et al. 2016, sections 2 and 3): RNNLM, sentence VAE, sequence autoencoder.

B sentences, T steps, E embedding size, H hidden units, Z latent size, V units. All likelihoods are nats a sentence, the
end token counted. Of a latent system ``nll`` is the reconstruction; what the paper prints as a VAE's NLL is ``bound``.

Sentences are in reading order in batches and in what `generate` returns. ``steps`` of each class are in the order in
which the decoder emits words, and ``decoder.turned`` exchanges the two, also for the forced words of a beam::

    forced = model.decoder.turned(known_words)   # (B, T), FREE where unknown
    found = beam.n_best(model.steps(z), n, forced, barred)
    sentences = model.decoder.turned(found.words)
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from pipeline_lib.compute.sharing import mean
from pipeline_lib.config.networks import Direction, LanguageModel, Sizes
from pipeline_lib.config.settings import Fraction, Settings
from pipeline_lib.decoding.steps import Decode
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.batch import Batch, Response
from pipeline_lib.models.exact import ExactSystem
from pipeline_lib.models.layers.distributions import (
    Gaussian,
    importance_estimate,
    importance_weights,
    kl_by_unit,
    with_free_bits,
)
from pipeline_lib.models.layers.lstm import LSTM, State
from pipeline_lib.models.layers.recurrent import sum_by_example
from pipeline_lib.models.layers.sentence_decoder import SentenceDecoder, SentenceSteps
from pipeline_lib.models.system import Generated, Likelihood, Objective, Phase, Repeated, System
from pipeline_lib.text.units import Units


class DecoderOptions(Settings):
    """Options of every system of this module."""

    keep: Fraction = Field(default=1.0, description="share of the words that the decoder is shown; 0: inputless")
    direction: Direction = Field(
        default="left_to_right",
        description="order in which the decoder emits the words of a sentence; an encoder always reads left to right",
    )


class RNNLM(ExactSystem):
    """Recurrent language model: no latent variable, so its likelihood is exact."""

    class Options(DecoderOptions):
        pass

    Network: ClassVar[type[Sizes]] = LanguageModel

    def __init__(self, units: Units, network: LanguageModel, options: Options) -> None:
        super().__init__(units, network, options)
        self.decoder = SentenceDecoder(units, network, options.keep, options.direction)

    def steps(self, rows: int) -> SentenceSteps:
        """Begin ``rows`` sentences, for a strategy of decoding; in the order of the decoder (see the module)."""
        zeros = self.decoder.output.weight.new_zeros(1, rows, self.decoder.lstm.hidden_size)
        return SentenceSteps(self.decoder, (zeros, zeros), None)

    def nll(self, response: Response, generator: torch.Generator) -> Tensor:
        """Return -log p(sentence), nats, (B,); ``generator`` gives the noise of training."""
        return sum_by_example(self.decoder(response, None, None, generator), response.lengths)

    def _nll(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return self.nll(batch.response, generator)

    def likelihood(self, batch: Batch, generator: torch.Generator) -> Likelihood:
        tokens, lengths = self.decoder(batch.response, None, None, generator), batch.response.lengths
        nll = sum_by_example(tokens, lengths)
        return Likelihood(nll, torch.zeros_like(nll), nll, end=tokens[lengths.cumsum(0) - 1])

    def generate(self, batch: Batch, decode: Decode, selection: str, generator: torch.Generator) -> Generated:
        """Write one sentence for each example, whatever it says: there is nothing to answer."""
        return Generated(self.decoder.turned(decode(self.steps(len(batch)))))


class CodedSentences(System):
    """A code z for each sentence, from which the decoder starts (section 3, Figure 1); a subclass says which code.

    The code is a function of the encoder's last state; (h, c) of the decoder are linear in z. Encoder and decoder share
    one embedding.
    """

    Network: ClassVar[type[Sizes]] = LanguageModel
    numbers_of_a_dimension: ClassVar[int]  # what the encoder tells of each dimension of z

    def __init__(self, units: Units, network: LanguageModel, options: DecoderOptions) -> None:
        super().__init__(units, network, options)
        self.latent = self._size_of_z(network)
        self.encoder = LSTM(network.embedding, network.hidden)
        self.recognition = nn.Linear(network.hidden, self.numbers_of_a_dimension * self.latent)
        self.initial = nn.Linear(self.latent, 2 * network.hidden)
        beside = self.latent if network.z_input else 0
        self.decoder = SentenceDecoder(units, network, options.keep, options.direction, beside)

    def _size_of_z(self, network: LanguageModel) -> int:
        if network.latent is None:
            raise PipelineError(
                f"{type(self).__name__} has a latent variable, and its network none",
                where="network.latent of the system",
                expected="a number of dimensions",
                remedy="give it one; null is for systems without a latent variable, such as RNNLM",
            )
        return network.latent

    def recognised(self, batch: Batch) -> Tensor:
        """Read sentences from left to right: (B, Z), or (B, 2Z) for a Gaussian."""
        words = batch.response.words
        found: Tensor = self.recognition(self.encoder.last_hidden(self.decoder.embedding(words.ids), words.lengths))
        return found

    @abstractmethod
    def code(self, batch: Batch) -> Tensor:
        """Return the code of each sentence without noise, (B, Z)."""

    def steps(self, z: Tensor) -> SentenceSteps:
        """Begin a sentence from each row of ``z`` (R, Z), for a strategy; in the order of the decoder (see the module).

        A strategy changes the state of the steps, so each search needs steps of its own.
        """
        return SentenceSteps(self.decoder, self._state(z), z)

    def nll(self, response: Response, z: Tensor, generator: torch.Generator) -> Tensor:
        """Return -log p(sentence | z), nats, (B,), with z (B, Z); ``generator`` gives the noise of training."""
        return sum_by_example(self._token_nll(response, z, generator), response.lengths)

    def _token_nll(self, response: Response, z: Tensor, generator: torch.Generator) -> Tensor:
        nll: Tensor = self.decoder(response, self._state(z), z, generator)
        return nll

    def _state(self, z: Tensor) -> State:
        """Turn (B, Z) into the decoder's first h and c, (1, B, H) each."""
        h, c = self.initial(z).unsqueeze(0).chunk(2, -1)
        return h.contiguous(), c.contiguous()

    def _written(self, decode: Decode, z: Tensor) -> Generated:
        return Generated(self.decoder.turned(decode(self.steps(z))))


class SentenceVAE(CodedSentences):
    """The code is a random variable: z ~ N(0, I), and q(z | sentence) is a diagonal Gaussian.

    Its options and `start_from` hold remedies against a posterior that collapses onto the prior, later than the paper.
    """

    class Options(DecoderOptions):
        free_bits: float = Field(
            default=0.0, ge=0, description="nats of KL, in equal parts for each dimension of z, that cost nothing"
        )
        aggressive: bool = Field(
            default=False,
            description="true: phases `encoder` and `decoder`; in each step the encoder is updated until its loss "
            "stops falling, as long as mutual information rises from validation to validation (He et al. 2019)",
        )

    numbers_of_a_dimension = 2  # mean and log-variance

    def __init__(self, units: Units, network: LanguageModel, options: Options) -> None:
        super().__init__(units, network, options)
        self.options = options

    def phases(self) -> Sequence[Phase]:
        """Train all at once, or an aggressive encoder and the decoder in turn, on the same batch."""
        if not self.options.aggressive:
            return super().phases()
        encoder = [*self.encoder.parameters(), *self.recognition.parameters()]
        decoder = [*self.initial.parameters(), *self.decoder.parameters()]  # the shared embedding is the decoder's
        return [
            Phase("encoder", encoder, self.objective, repeated=Repeated(while_rising="mutual_information")),
            Phase("decoder", decoder, self.objective, fresh=False),
        ]

    def start_from(self, weights: dict[str, Tensor]) -> None:
        """Load another VAE's weights, or of an autoencoder all that makes its code (Li et al. 2019).

        These are the embedding, the encoder and the means. Log-variances and decoder stay as they were drawn; only the
        embedding, which both sides share, is the autoencoder's.
        """
        means = weights.get("recognition.weight")
        if means is None or len(means) != self.latent:  # not an autoencoder's, which tells no variances
            super().start_from(weights)
            return
        taken = {
            name: tensor for name, tensor in weights.items() if name.startswith(("encoder.", "decoder.embedding."))
        }
        own = {name: self.state_dict()[f"recognition.{name}"].clone() for name in ("weight", "bias")}
        for name, tensor in own.items():
            tensor[: self.latent] = weights[f"recognition.{name}"]
            taken[f"recognition.{name}"] = tensor
        super().start_from(self.state_dict() | taken)

    def encode(self, batch: Batch) -> Gaussian:
        """Return q(z | sentence)."""
        return Gaussian.of(self.recognised(batch))

    def code(self, batch: Batch) -> Tensor:
        return self.encode(batch).mean

    def objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        """Sum reconstruction and annealed KL to N(0, I) over each sentence, then average them (equation 1)."""
        posterior = self.encode(batch)
        nll = self.nll(batch.response, posterior.draw(generator), generator)
        kl_units = kl_by_unit(posterior, standard(posterior.mean))
        kl, floor = kl_units.sum(-1), self.options.free_bits
        paid = with_free_bits(kl_units, floor) if floor else kl
        return Objective(mean(nll) + weight * mean(paid), {"nll": nll.detach(), "kl": kl.detach()})

    def likelihood(self, batch: Batch, generator: torch.Generator) -> Likelihood:
        posterior, lengths = self.encode(batch), batch.response.lengths
        z = posterior.draw(generator)
        tokens = self._token_nll(batch.response, z, generator)
        nll, kl_units = sum_by_example(tokens, lengths), kl_by_unit(posterior, standard(posterior.mean))
        kl = kl_units.sum(-1)
        return Likelihood(
            nll,
            kl,
            nll + kl,
            posterior.mean,
            end=tokens[lengths.cumsum(0) - 1],
            kl_units=kl_units,
            posterior_log_variance=posterior.log_variance,
            z=z,
        )

    def latent_use(self, batch: Batch, others: Response, generator: torch.Generator) -> Tensor:
        posterior, of_others = self.encode(batch), self.encode(Batch(others))
        noise = posterior.noise(generator)
        own, foreign = (self.nll(batch.response, each.sample(noise), generator) for each in (posterior, of_others))
        return foreign - own

    def importance_nll(self, batch: Batch, generator: torch.Generator, samples: int) -> Tensor:
        posterior = self.encode(batch)
        prior = standard(posterior.mean)
        weights = importance_weights(
            posterior, prior, lambda z: self.nll(batch.response, z, generator), generator, samples
        )
        return importance_estimate(weights)

    def generate(self, batch: Batch, decode: Decode, selection: str, generator: torch.Generator) -> Generated:
        """Write a sentence from a draw of the prior for each example."""
        z = torch.randn((len(batch), self.latent), generator=generator, device=self.device).to(self.initial.weight)
        return self._written(decode, z)


class SequenceAutoencoder(CodedSentences):
    """The code is a function of the sentence: the network of the VAE with its mean in place of z, and without a KL.

    It has no likelihood. Its ``nll`` is that of a reconstruction; KL and bound are None.
    """

    class Options(DecoderOptions):
        pass

    numbers_of_a_dimension = 1
    draws = False

    def code(self, batch: Batch) -> Tensor:
        return self.recognised(batch)

    def objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        """Average the reconstruction; ``weight`` has nothing to anneal."""
        nll = self.nll(batch.response, self.code(batch), generator)
        return Objective(mean(nll), {"nll": nll.detach()})

    def likelihood(self, batch: Batch, generator: torch.Generator) -> Likelihood:
        z, lengths = self.code(batch), batch.response.lengths
        tokens = self._token_nll(batch.response, z, generator)
        end = tokens[lengths.cumsum(0) - 1]
        return Likelihood(sum_by_example(tokens, lengths), None, None, posterior_mean=z, end=end)

    def latent_use(self, batch: Batch, others: Response, generator: torch.Generator) -> Tensor:
        own, foreign = (self.nll(batch.response, self.code(each), generator) for each in (batch, Batch(others)))
        return foreign - own

    def generate(self, batch: Batch, decode: Decode, selection: str, generator: torch.Generator) -> Generated:
        """Write the sentence of each example again, from its code: there is no prior to draw from."""
        return self._written(decode, self.code(batch))


def standard(like: Tensor) -> Gaussian:
    """Return N(0, I) of the shape (B, Z) of ``like``."""
    return Gaussian(torch.zeros_like(like), torch.zeros_like(like))
