"""PersonaWAE (Chan et al. 2019) and what it is compared with: DialogWAE with a Gaussian mixture, and a CVAE.

B examples, C size of a context's encoding c, X of a response's x, U of a user's vector u, Z latent size.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from pipeline_lib.compute.sharing import is_shared, mean, token_mean
from pipeline_lib.config.networks import Dialogue
from pipeline_lib.config.settings import Positive
from pipeline_lib.config.users import ReadsUsers
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.batch import Batch, Response
from pipeline_lib.models.dialogue import DialogueSystem, UserTable
from pipeline_lib.models.layers.critic import Critic, critic_loss
from pipeline_lib.models.layers.distributions import Gaussian, importance_estimate
from pipeline_lib.models.layers.gated import GatedDecoder, GatedSteps
from pipeline_lib.models.layers.mixtures import FusedPrior, trunk
from pipeline_lib.models.layers.scan import ScannedEncoder
from pipeline_lib.models.layers.turns import TurnEncoder
from pipeline_lib.models.system import Likelihood, Objective, Phase, given
from pipeline_lib.text.units import Units

Fault = Literal["frozen_mixture", "batchnorm_critic", "batch_mean_penalty", "embedding_twice"]


class PersonalAutoencoder(DialogueSystem):
    """What both autoencoders share: encoders, recognition, fused prior and gated decoder.

    z is drawn by q(z | x, c) in training, which knows no user, and by p(z | c, u) to respond. The decoder starts from
    [z; c] and reads u through a gate.
    """

    class Options(ReadsUsers):
        context_components: Positive = Field(default=3, description="Gaussians of the context's prior")
        user_components: Positive = Field(default=3, description="Gaussians of the user's prior")
        personal_prior: bool = Field(default=True, description="false: the prior knows the context alone")
        personal_decoder: bool = Field(default=True, description="false: the decoder knows no user")

        @property
        def is_personal(self) -> bool:
            return self.personal_prior or self.personal_decoder

    def __init__(self, units: Units, network: Dialogue, options: Options) -> None:
        super().__init__(units, network, options)
        size, latent = self.embedding_size, network.latent
        self.personal_prior, self.personal_decoder = options.personal_prior, options.personal_decoder
        self.users = None
        if options.is_personal:
            self.users = UserTable(given(options.users), network.user, options.user_dropout)
        self.context_encoder = TurnEncoder(size, network.hidden)
        self.response_encoder = ScannedEncoder(size, network.hidden)
        self.condition_size = self.context_encoder.size
        self.recognition = nn.Sequential(
            trunk(self.response_encoder.size + self.condition_size, latent), nn.Linear(latent, 2 * latent)
        )
        self.prior = FusedPrior(
            self.condition_size,
            network.user if self.personal_prior else 0,
            latent,
            options.context_components,
            options.user_components,
        )
        self.decoder = GatedDecoder(
            size,
            network.hidden,
            network.user if self.personal_decoder else 0,
            self.condition_size + latent,
            self.vocabulary_size,
        )

    def encode_context(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """Return c, (B, C); without a generator, nothing is dropped."""
        words, lengths = self.context_turns(batch, generator)
        return self.context_encoder(words, lengths, batch.floors, self.rate / 2 if self.training else 0.0, generator)

    def encode_response(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """Return x, (B, X); without a generator, nothing is dropped."""
        words = batch.response.words
        return self.response_encoder(self.embedded(words, generator), words.lengths)

    def user_vectors(self, batch: Batch, generator: torch.Generator) -> Tensor | None:
        """Return u, (B, U); None where neither prior nor decoder knows users."""
        return None if self.users is None else self.users(batch, generator)

    def posterior(self, context: Tensor, response: Tensor) -> Gaussian:
        """Return q(z | x, c) (eq. 7)."""
        return Gaussian.of(self.recognition(torch.cat([response, context], -1)))

    def nll(self, batch: Batch, context: Tensor, z: Tensor, user: Tensor | None, generator: torch.Generator) -> Tensor:
        """Return -log p(response | z, context, user), nats, (B,)."""
        words = self.dropped(self.words(batch.response.inputs), generator)
        read = user if self.personal_decoder else None
        hidden = self.decoder.states(words, torch.cat([z, context], -1), read)
        return self.decoder.negative_log_likelihood(hidden, batch.response.targets, batch.response.lengths)

    def z_of_posterior(self, posterior: Gaussian, generator: torch.Generator) -> Tensor:
        """Draw z given the response, (B, Z)."""
        return posterior.draw(generator)

    def z_of_prior(self, context: Tensor, user: Tensor | None, generator: torch.Generator) -> Tensor:
        """Draw z given context and user alone, (B, Z)."""
        return self.prior.sample(context, user, generator)

    def _encoded(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Gaussian, Tensor | None]:
        """Return c, q(z | x, c) and u."""
        context = self.encode_context(batch, generator)
        posterior = self.posterior(context, self.encode_response(batch, generator))
        return context, posterior, self.user_vectors(batch, generator)

    def likelihood(self, batch: Batch, generator: torch.Generator) -> Likelihood:
        """Measure reconstruction under z of the posterior and of the prior; the prior has no density, so no KL."""
        context, posterior, user = self._encoded(batch, generator)
        nll = self.nll(batch, context, self.z_of_posterior(posterior, generator), user, generator)
        of_prior = self.nll(batch, context, self.z_of_prior(context, user, generator), user, generator)
        return Likelihood(nll, None, None, posterior.mean, nll_prior=of_prior)

    def importance_nll(self, batch: Batch, generator: torch.Generator, samples: int) -> Tensor:
        """Estimate -log p(response | context, user) by draws of the prior; too high in expectation, by Jensen."""
        context, _, user = self._encoded(batch, generator)
        losses = [
            self.nll(batch, context, self.z_of_prior(context, user, generator), user, generator)
            for _ in range(samples)  # one at a time: memory stays that of one pass
        ]
        return importance_estimate(-torch.stack(losses))

    def latent_use(self, batch: Batch, others: Response, generator: torch.Generator) -> Tensor:
        context, posterior, user = self._encoded(batch, generator)
        other = self.posterior(context, self.encode_response(replace(batch, response=others), generator))
        seed = int(torch.randint(2**62, (), generator=generator, device=self.device))
        own, foreign = (
            self.nll(batch, context, self.z_of_posterior(each, self._seeded(seed)), user, generator)
            for each in (posterior, other)
        )
        return foreign - own

    def _seeded(self, seed: int) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(seed)

    def steps(self, batch: Batch, generators: Sequence[torch.Generator]) -> GatedSteps:
        context, user = self.encode_context(batch, generators[0]), self.user_vectors(batch, generators[0])
        drawn = [torch.cat([self.z_of_prior(context, user, own), context], -1) for own in generators]
        read = user.repeat(len(generators), 1) if user is not None and self.personal_decoder else None
        return GatedSteps(self.decoder, self.words, torch.cat(drawn), read)


class PersonaWAE(PersonalAutoencoder):
    """A Wasserstein autoencoder: two generators turn draws into z, a critic tells prior from posterior.

    Without ``personal_prior`` and ``personal_decoder`` it is DialogWAE with a Gaussian mixture (Gu et al. 2019). Three
    phases on the same batch: the autoencoder; the generator, which moves recognition, both generators and the prior;
    and the critic, whose further updates have batches of their own. In the last two, contexts and responses are encoded
    without gradient and without dropout, as in the released code of DialogWAE; users have a gradient in the
    generator's.
    """

    class Options(PersonalAutoencoder.Options):
        released: list[Fault] = Field(
            default=[],
            description="faults of DialogWAE's released code. frozen_mixture: no optimiser has the prior's networks; "
            "batchnorm_critic: batch norm in the critic, which cannot see a shift common to a batch; "
            "batch_mean_penalty: the critic's slope is to be the batch size instead of 1; embedding_twice: the "
            "autoencoder's optimiser lists the words twice, so they are moved twice and count twice in clipping",
        )

    def __init__(self, units: Units, network: Dialogue, options: Options) -> None:
        super().__init__(units, network, options)
        self.posterior_generator = generator_network(network.latent)
        self.prior_generator = generator_network(network.latent)
        self.has_batch_norm = "batchnorm_critic" in options.released
        norm: Literal["batch", "layer"] = "batch" if self.has_batch_norm else "layer"
        self.critic = Critic(network.latent + self.condition_size, 2 * network.hidden, norm)
        self.of_batch_mean = "batch_mean_penalty" in options.released
        if "frozen_mixture" in options.released:
            self.prior.requires_grad_(False)
        self.words_twice = "embedding_twice" in options.released
        self._last: tuple[Batch, Tensor, Tensor] | None = None

    def phases(self) -> Sequence[Phase]:
        recognition = [*self.recognition.parameters(), *self.posterior_generator.parameters()]
        users = [] if self.users is None else list(self.users.parameters())
        owned = users if self.personal_decoder else []  # else only the generator's objective reaches them
        autoencoder = [
            *self.words.parameters(),
            *self.context_encoder.parameters(),
            *self.response_encoder.parameters(),
            *recognition,
            *self.decoder.parameters(),
            *owned,
        ]
        generator = [
            *(parameter for parameter in self.prior.parameters() if parameter.requires_grad),
            *self.prior_generator.parameters(),
            *(users if not owned else []),
        ]
        shared = [*recognition, *(owned if self.personal_prior else [])]
        return [
            Phase("autoencoder", autoencoder, self.objective, twice=[self.words.weight] if self.words_twice else ()),
            Phase("generator", generator, self.imitation, shared=shared, fresh=False),
            Phase("critic", list(self.critic.parameters()), self.criticism, fresh=False),
        ]

    def z_of_posterior(self, posterior: Gaussian, generator: torch.Generator) -> Tensor:
        return self.posterior_generator(super().z_of_posterior(posterior, generator))

    def z_of_prior(self, context: Tensor, user: Tensor | None, generator: torch.Generator) -> Tensor:
        return self.prior_generator(super().z_of_prior(context, user, generator))

    def objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        """Reconstruct the response from z of the posterior: cross-entropy, averaged over tokens."""
        self._last = None  # this update moves the encoders
        context, posterior, user = self._encoded(batch, generator)
        nll = self.nll(batch, context, self.z_of_posterior(posterior, generator), user, generator)
        return Objective(token_mean(nll, batch.response.lengths), {"nll": nll.detach()})

    def imitation(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        """Close the gap that the critic finds, E D(z_prior) - E D(z_post), from both sides."""
        context, posterior, prior = self._both(batch, generator)
        gap = self._judged(prior, context) - self._judged(posterior, context)
        return Objective(mean(gap), {"gap": gap.detach()})

    def criticism(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        """Widen the gap, under a penalty on the critic's slope.

        Raises:
            PipelineError: a critic with batch norm in a job of several processes, each of which would see its share.
        """
        if self.has_batch_norm and is_shared():
            raise PipelineError(
                "a critic with batch norm in a training job of several processes",
                where="systems.<name>.options.released",
                expected="one process, whose batch norm sees the whole batch",
                remedy="give train_model one GPU and one node, or leave out `batchnorm_critic`",
            )
        with torch.no_grad():
            context, posterior, prior = self._both(batch, generator)
        loss, gap = critic_loss(self.critic, posterior, prior, context, generator, of_batch_mean=self.of_batch_mean)
        return Objective(loss, {"gap": gap})

    def _both(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return c without gradient, and z of the posterior and of the prior."""
        context, response = self._encodings(batch)
        posterior = self.z_of_posterior(self.posterior(context, response), generator)
        return context, posterior, self.z_of_prior(context, self.user_vectors(batch, generator), generator)

    def _encodings(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return c and x without gradient and dropout; several updates read one batch while the encoders rest."""
        if self._last is None or self._last[0] is not batch:
            with torch.no_grad():
                self._last = batch, self.encode_context(batch, None), self.encode_response(batch, None)
        return self._last[1:]

    def _judged(self, z: Tensor, context: Tensor) -> Tensor:
        return self.critic(torch.cat([z, context], -1)).squeeze(-1)


class PersonaCVAE(PersonalAutoencoder):
    """The same without generators and critic: the fused prior has a density, and the KL to it is annealed."""

    def objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        context, posterior, user = self._encoded(batch, generator)
        nll, kl = self._terms(batch, context, posterior, user, generator)
        return Objective(mean(nll) + weight * mean(kl), {"nll": nll.detach(), "kl": kl.detach()})

    def likelihood(self, batch: Batch, generator: torch.Generator) -> Likelihood:
        context, posterior, user = self._encoded(batch, generator)
        nll, kl = self._terms(batch, context, posterior, user, generator)
        of_prior = self.nll(batch, context, self.z_of_prior(context, user, generator), user, generator)
        return Likelihood(nll, kl, nll + kl, posterior.mean, nll_prior=of_prior)

    def _terms(
        self, batch: Batch, context: Tensor, posterior: Gaussian, user: Tensor | None, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return reconstruction and KL, (B,) each; the KL by the same draw of z, as mixtures have no closed form."""
        z = self.z_of_posterior(posterior, generator)
        kl = posterior.log_density(z) - self.prior.log_density(z, context, user)
        return self.nll(batch, context, z, user, generator), kl


def generator_network(latent: int) -> nn.Sequential:
    """Build Q or G: three linear layers Z -> Z, ReLU and layer norm between them."""
    layers: list[nn.Module] = []
    for _ in range(2):
        layers += [nn.Linear(latent, latent), nn.LayerNorm(latent), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(latent, latent))
