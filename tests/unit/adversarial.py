"""A toy Wasserstein autoencoder: three phases, of which two train one encoder, and a critic with a gradient penalty."""

import os
import signal
from collections import Counter

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline_lib.compute.sharing import drawn, mean, normal
from pipeline_lib.config.networks import Sizes
from pipeline_lib.config.settings import Settings
from pipeline_lib.config.training import Decay, NoAnnealing, Optimiser, PhaseSettings, Training
from pipeline_lib.decoding.steps import Decode
from pipeline_lib.examples.batch import Batch, Tokens
from pipeline_lib.models.system import Generated, Likelihood, Objective, Phase, WordVectorSystem, needed
from pipeline_lib.text.units import Units

ADVERSARIAL = "unit.adversarial:Adversarial"
KILL = "KILL_IN"  # environment: `critic:17` has the process killed as the 17th update of that phase begins
SINCE, UNTIL = 4, 40  # rounds of the generator's first update, and of the autoencoder's end
CODE, HIDDEN = 4, 6
SETTINGS = Training(
    batch_size=4,
    epochs=30,
    optimiser=Optimiser(kind="sgd", learning_rate=0.1, clip=1.0, decay=Decay(factor=0.6, epochs=10)),
    phases={
        "generator": PhaseSettings(optimiser=Optimiser(kind="rmsprop", learning_rate=1e-3, clip=None)),
        "critic": PhaseSettings(optimiser=Optimiser(kind="adam", learning_rate=1e-2), updates=5),
    },
    annealing=NoAnnealing(kind="none"),
    validate_every=7,
    checkpoint_every=5,
    device="cpu",
    select="ppl",  # its prior is implicit: there is no bound
)
_begun: Counter[str] = Counter()


class Adversarial(WordVectorSystem):
    """A response is a bag of words given its context c and a code z; a generator imitates the codes.

    Three phases as in PersonaWAE: the autoencoder; the generator, which moves the encoder too; and the critic, whose
    first update is on the batch of both.
    """

    def __init__(self, units: Units, network: Sizes, options: Settings) -> None:
        super().__init__(units, network, options)
        words, width = self.vocabulary_size, self.embedding_size
        self.encoder = nn.Linear(width, CODE)
        self.decoder = nn.Linear(width + CODE, words)
        self.generator = nn.Linear(width + CODE, CODE)
        self.critic = nn.Sequential(nn.Linear(width + CODE, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 1))

    def phases(self) -> list[Phase]:
        encoder = list(self.encoder.parameters())
        autoencoder = [*encoder, *self.decoder.parameters()]
        generator, critic = list(self.generator.parameters()), list(self.critic.parameters())
        return [
            Phase("autoencoder", autoencoder, self.objective, until=UNTIL),
            Phase("generator", generator, self.imitation, since=SINCE, shared=encoder, fresh=False),
            Phase("critic", critic, self.criticism, fresh=False),
        ]

    def objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        _may_be_killed("autoencoder")
        nll = self._nll(batch)
        return Objective(mean(nll), {"nll": nll.detach()})

    def imitation(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        _may_be_killed("generator")
        context, real, imitated = self._codes(batch, generator)
        return Objective(mean(self._judged(context, imitated) - self._judged(context, real)), {})

    def criticism(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        """The critic's gap, and ten times its slope's squared distance from 1 in between (Gulrajani et al. 2017)."""
        _may_be_killed("critic")
        context, real, imitated = (values.detach() for values in self._codes(batch, generator))
        share = drawn(lambda n: torch.rand((n, 1), generator=generator, dtype=real.dtype), len(real))
        between = (share * real + (1 - share) * imitated).requires_grad_()
        judged = self._judged(context, between)
        [slope] = torch.autograd.grad(judged.sum(), between, create_graph=True)
        penalty = (slope.norm(dim=1) - 1).square()
        gap = self._judged(context, real) - self._judged(context, imitated)
        return Objective(mean(10 * penalty - gap), {"gap": gap.detach()})

    def _codes(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Contexts (B, E), codes of the responses and imitated ones (B, Z)."""
        context = self._mean(needed(batch.context, "context"))
        real = self.encoder(self._mean(batch.response.words))
        noise = normal(tuple(real.shape), real, generator).to(real.dtype)
        return context, real, self.generator(torch.cat([context, noise], -1))

    def _judged(self, context: Tensor, code: Tensor) -> Tensor:
        return self.critic(torch.cat([context, code], -1)).squeeze(-1)

    def _mean(self, words: Tokens) -> Tensor:
        inside = torch.arange(words.ids.shape[1]) < words.lengths.unsqueeze(1)
        return (self.embed(words.ids) * inside.unsqueeze(-1)).sum(1) / words.lengths.unsqueeze(1)

    def _nll(self, batch: Batch) -> Tensor:
        context, response = self._mean(needed(batch.context, "context")), batch.response
        code = self.encoder(self._mean(response.words))
        of_words = F.log_softmax(self.decoder(torch.cat([context, code], -1)), -1).gather(1, response.targets)
        inside = torch.arange(response.targets.shape[1]) < response.lengths.unsqueeze(1)
        return -(of_words * inside).sum(1)

    def likelihood(self, batch: Batch, generator: torch.Generator) -> Likelihood:
        return Likelihood(self._nll(batch), None, None)

    def generate(self, batch: Batch, decode: Decode, selection: str, generator: torch.Generator) -> Generated:
        context = self._mean(needed(batch.context, "context"))
        code = self.generator(torch.cat([context, normal((len(batch), CODE), context, generator)], -1))
        return Generated(decode(_Bag(self.decoder(torch.cat([context, code], -1)))))


class _Bag:
    """Steps whose next word depends on none before it: the same logits (R, V) every time."""

    def __init__(self, logits: Tensor) -> None:
        self._logits = logits

    @property
    def rows(self) -> int:
        return len(self._logits)

    @property
    def device(self) -> torch.device:
        return self._logits.device

    def next(self, words: Tensor) -> Tensor:
        return self._logits

    def keep(self, rows: Tensor) -> None:
        self._logits = self._logits[rows]


def _may_be_killed(phase: str) -> None:
    _begun[phase] += 1
    if os.environ.get(KILL) == f"{phase}:{_begun[phase]}":
        os.kill(os.getpid(), signal.SIGKILL)
