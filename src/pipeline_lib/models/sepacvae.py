"""SepaCVAE (Sun et al. 2021): the model separates the contexts into N groups by itself.

Every context is copied N times, each copy marked with one group's vector; only the copy that explains the response
best is trained (`gradient blocking`), a contrast keeps responses of one group together (`relationship enhancement`),
and a classifier tells the group from the response. papers/sepacvae/README.md tells what the paper leaves open, where
its released code differs from it, and which option follows which.
"""

import math
from dataclasses import replace
from typing import ClassVar, Literal, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline_lib.compute.precision import at_least_float32
from pipeline_lib.compute.sharing import drawn, gathered, mean, normal
from pipeline_lib.config.networks import Recurrent
from pipeline_lib.config.settings import Positive, Settings
from pipeline_lib.decoding.steps import Decode
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.batch import Batch, Response
from pipeline_lib.models.cvae import CVAE
from pipeline_lib.models.layers import projection
from pipeline_lib.models.layers.distributions import Gaussian, importance_estimate, importance_weights, kl_by_unit
from pipeline_lib.models.layers.recurrent import DecoderSteps, sum_by_example, valid_positions
from pipeline_lib.models.relationship import relationship_loss, released_relationship_loss
from pipeline_lib.models.system import Generated, Likelihood, Objective, needed
from pipeline_lib.text.units import Units

_MARKED_LENGTH = 25  # tokens as which the released code reads every context, padding included


def group_vectors(groups: int, embedding_size: int) -> Tensor:
    """Return (N, E) vectors: row i is 1 in coordinates i*d .. (i+1)*d - 1, d = E // N, and 0 elsewhere (section 4.2).

    Raises:
        PipelineError: more groups than coordinates.
    """
    width = embedding_size // groups
    if width == 0:
        raise PipelineError(
            f"{groups} groups do not fit into embeddings of {embedding_size} dimensions",
            where="systems.<name>.options.groups",
            expected=f"at most {embedding_size}",
            remedy="lower the number of groups or take wider word vectors",
        )
    vectors = torch.eye(groups).repeat_interleave(width, dim=1)
    return F.pad(vectors, (0, embedding_size - groups * width))


class _Copies(NamedTuple):
    """Values for M marked contexts.

    [c; z] (M, C + Z), z from the posterior, KL by unit and posterior mean (M, Z), log q(z) - log p(z) of that z (M,).
    """

    condition: Tensor
    kl_units: Tensor
    posterior_mean: Tensor
    log_ratio: Tensor


class _Scored(NamedTuple):
    """Values for the N copies of B examples, nats.

    nll (B, N), KL by unit and posterior mean (B, N, Z), [c; z] (B, N, C + Z), log q(z) - log p(z) (B, N).
    """

    nll: Tensor
    kl_units: Tensor
    posterior_mean: Tensor
    condition: Tensor
    log_ratio: Tensor

    def best(self) -> Tensor:
        """Return the copy that explains its response best, un-annealed, (B,) int64; ties go to the lowest index."""
        return (self.nll + self.kl_units.sum(-1)).argmin(1)


class SepaCVAE(CVAE):
    """Self-separated CVAE; no bag-of-words term (neither the paper's objective nor the released code has one)."""

    class Options(Settings):
        groups: Positive = Field(default=8, description="N, the groups that the model forms by itself")
        noise: Literal["copy", "shared"] = Field(
            default="copy", description="draws of the posterior: one for each copy, or one shared by all copies"
        )
        kl_weight: Literal[1, "1/N"] = Field(
            default=1, description="weight of the winner's KL; 1/N: as averaged over all copies, the losers' being 0"
        )
        kl_annealing: bool = Field(
            default=True, description="true: the KL is annealed like the contrast; false: its weight is full throughout"
        )
        relationship: Literal["mean", "released", "none"] = Field(
            default="mean",
            description="the contrast between groups, eq. 4. mean: of means of cosines; released: of sums of rescaled "
            "inner products, divided by N",
        )
        generated_words: Literal["expected", "logits"] = Field(
            default="expected",
            description="word vectors of the generated response: their expectation, or weighted by logits, without "
            "gradient",
        )
        marks_on_padding: bool = Field(
            default=False, description="true: contexts are read as 25 tokens, padding with the group's vector included"
        )
        similarity: Literal["cosine", "inner"] = Field(
            default="cosine", description="similarity of a response to its context in the test rule"
        )
        classifier: bool = Field(default=True, description="the group told from the response, eq. 5")
        blocking: bool = Field(
            default=True, description="false: reconstruction and KL train every copy, not the winner alone"
        )
        winner: Literal["best", "random"] = Field(
            default="best", description="copy that is trained; random: any, drawn anew at each step"
        )

        @model_validator(mode="after")
        def _chooses_what_it_blocks(self) -> "SepaCVAE.Options":
            if self.winner == "random" and not self.blocking:
                raise ValueError("`winner: random` has no meaning with `blocking: false`, which trains every copy")
            return self

    selections: ClassVar[tuple[str, ...]] = ("oracle", "context")

    def __init__(self, units: Units, network: Recurrent, options: Options) -> None:
        super().__init__(units, network, CVAE.Options(bow=False))
        self.options, self.groups = options, options.groups
        self.group_vectors: Tensor
        self.register_buffer("group_vectors", group_vectors(self.groups, self.embedding_size), persistent=False)
        self.group_classifier = nn.Linear(self.encoder.size, self.groups)

    # --- networks, of one marked copy of each example or of all N ---

    def _context(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the embedded contexts (B, T, E) and the lengths they are read with."""
        context = needed(batch.context, "context")
        if not self.options.marks_on_padding:
            return self.embed(context.ids), context.lengths
        missing = max(0, _MARKED_LENGTH - context.ids.shape[1])
        wide = F.pad(context.ids, (0, missing), value=self.ids.pad)
        return self.embed(wide), torch.full_like(context.lengths, wide.shape[1])

    def _encode_marked(self, batch: Batch, group: Tensor) -> Tensor:
        """Encode contexts whose every word vector carries the vector of ``group`` (B,): (B, C)."""
        embedded, lengths = self._context(batch)
        return self.encoder(embedded + self.group_vectors[group].unsqueeze(1), lengths)

    def _encode_copies(self, batch: Batch) -> Tensor:
        """Encode all N marked copies of each context: (B * N, C), example by example."""
        return self.encoder.copies(*self._context(batch), self.group_vectors)

    def _infer(self, context: Tensor, response: Tensor, noise: Tensor) -> _Copies:
        """Infer posterior and prior of M encoded contexts (M, C) and responses (M, 2H), with ``noise`` (M, Z)."""
        posterior = Gaussian.of(self.recognition(torch.cat([context, response], -1)))
        prior, z = Gaussian.of(self.prior(context)), posterior.sample(noise)
        log_ratio = posterior.log_density(z) - prior.log_density(z)
        return _Copies(torch.cat([context, z], -1), kl_by_unit(posterior, prior), posterior.mean, log_ratio)

    def _infer_copies(self, batch: Batch, noise: Tensor) -> _Copies:
        response = self.encode_response(batch).repeat_interleave(self.groups, 0)
        return self._infer(self._encode_copies(batch), response, noise.flatten(0, 1))

    def _repeated(self, response: Response) -> Response:
        """Repeat every response N times, one after the other."""
        parts = (response.inputs, response.targets, response.lengths)
        return Response(*(part.repeat_interleave(self.groups, 0) for part in parts))

    def _noise(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Draw (B, N, Z): one draw for each copy, or one shared by the copies of an example."""
        draws = self.groups if self.options.noise == "copy" else 1
        noise = normal((len(batch), draws, self.latent), self.embeddings, generator)
        return noise.expand(-1, self.groups, -1)

    def _copies_nll(self, batch: Batch, condition: Tensor) -> Tensor:
        """Return -log p(response | condition), (B, N), nats, of N conditions (B * N, C + Z) for each example."""
        hidden = self.decoder(self.embed(batch.response.inputs), condition, self.groups)
        every = self._repeated(batch.response)
        return self.decoder.negative_log_likelihood(hidden, every.targets, every.lengths).view(-1, self.groups)

    def _score_copies(self, batch: Batch, noise: Tensor) -> _Scored:
        copies = self._infer_copies(batch, noise)
        nll = self._copies_nll(batch, copies.condition)
        kl_units, mean, condition, log_ratio = (
            each.unflatten(0, (-1, self.groups))
            for each in (copies.kl_units, copies.posterior_mean, copies.condition, copies.log_ratio)
        )
        return _Scored(nll, kl_units, mean, condition, log_ratio)

    # --- training ---

    def objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        """Return ``mean(nll + w KL) + w L_re + L_Y`` of the winners, which are found without gradient first.

        The loser copies contribute no gradient, so running the winner alone, with the noise it won with, gives the
        gradient of the one-pass form (`objective_in_one_pass`) at about half the cost.
        """
        if not self.options.blocking:
            return self.objective_in_one_pass(batch, weight, generator)
        noise = self._noise(batch, generator)
        winner = self._winner(batch, noise, generator)
        rows = torch.arange(len(batch), device=winner.device)
        copies = self._infer(self._encode_marked(batch, winner), self.encode_response(batch), noise[rows, winner])
        states, targets = self._states(batch.response, copies.condition)
        if self.options.generated_words == "logits":
            token_nll, words = projection.likelihood(states, self.decoder.output, targets), self._raw_words(states)
        else:
            token_nll, words = projection.likelihood_and_expected_vectors(
                states, self.decoder.output, targets, self.embeddings
            )
        return self._total(
            batch, sum_by_example(token_nll, batch.response.lengths), copies.kl_units.sum(-1), words, winner, weight
        )

    def _winner(self, batch: Batch, noise: Tensor, generator: torch.Generator) -> Tensor:
        """Return the copy that is trained: (B,) int64."""
        if self.options.winner == "random":
            return drawn(
                lambda n: torch.randint(self.groups, (n,), generator=generator, device=noise.device), len(batch)
            )
        with torch.no_grad():
            return self._score_copies(batch, noise).best()

    def objective_in_one_pass(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        """Return the same objective as the paper's Algorithm 2 runs it: all B*N copies with gradient, losers masked.

        Tests hold the two forms to the same gradient, benchmarks/training_step.py compares their cost. Without
        blocking nothing is masked: nll and KL are averaged over the copies, the other terms stay the best copy's.
        """
        noise = self._noise(batch, generator)
        copies, every = self._infer_copies(batch, noise), self._repeated(batch.response)
        states, targets = self._states(every, copies.condition)
        token_nll = projection.likelihood(states, self.decoder.output, targets)
        shape = (len(batch), self.groups)
        nll, kl = sum_by_example(token_nll, every.lengths).view(shape), copies.kl_units.sum(-1).view(shape)
        winner = (nll + kl).detach().argmin(1)
        mask = F.one_hot(winner, self.groups)
        of_winner = torch.repeat_interleave(mask.flatten().bool(), every.lengths)
        words = self._words(states[of_winner], targets[of_winner])
        share = mask if self.options.blocking else torch.full_like(nll, 1 / self.groups)
        return self._total(batch, (nll * share).sum(1), (kl * share).sum(1), words, winner, weight)

    def _states(self, response: Response, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return decoder states (M, H) and targets (M,) of the non-pad positions, example by example."""
        valid = valid_positions(response.lengths, response.targets.shape[1])
        return self.decoder(self.embed(response.inputs), condition)[valid], response.targets[valid]

    def _words(self, states: Tensor, targets: Tensor) -> Tensor:
        """Return (M, E) word vectors of the generated response."""
        if self.options.generated_words == "logits":
            return self._raw_words(states)
        return projection.likelihood_and_expected_vectors(states, self.decoder.output, targets, self.embeddings)[1]

    def _raw_words(self, states: Tensor) -> Tensor:
        """Return (M, E) vectors as the released code does: raw logits for word weights, without their gradient.

        ``(states @ W.T + b) @ embeddings`` in the order that makes no logits.
        """
        with torch.no_grad():
            output = self.decoder.output
            return torch.addmm(output.bias @ self.embeddings, states, output.weight.t() @ self.embeddings)

    def _total(self, batch: Batch, nll: Tensor, kl: Tensor, words: Tensor, winner: Tensor, weight: float) -> Objective:
        """Combine the winners' ``nll`` and ``kl`` (B,) into the loss.

        ``words`` (M, E) are the generated response's word vectors at the non-pad positions, teacher-forced.
        """
        share = 1 if self.options.kl_weight == 1 else 1 / self.groups
        loss = mean(nll) + (weight if self.options.kl_annealing else 1) * share * mean(kl)
        log = {"nll": nll, "kl": kl}
        if self.options.relationship != "none" or self.options.classifier:
            generated = self._encode_generated(words, batch.response)
        if self.options.relationship != "none":
            log["relationship"] = self._relationship(gathered(generated), gathered(winner))
            loss = loss + weight * log["relationship"]
        if self.options.classifier:
            log["group_nll"] = F.cross_entropy(
                at_least_float32(self.group_classifier(generated)), winner, reduction="none"
            )
            loss = loss + mean(log["group_nll"])
        return Objective(loss, {name: value.detach() for name, value in log.items()} | self._shares(gathered(winner)))

    def _relationship(self, generated: Tensor, winner: Tensor) -> Tensor:
        if self.options.relationship == "released":
            return released_relationship_loss(generated, winner, self.groups)
        return relationship_loss(generated, winner)

    def _encode_generated(self, rows: Tensor, response: Response) -> Tensor:
        """Scatter non-pad (M, E) word vectors into texts and encode their words (the end token's step left out)."""
        valid = valid_positions(response.lengths, response.targets.shape[1])
        embedded = rows.new_zeros(*valid.shape, rows.shape[-1])
        embedded[valid] = rows
        return self.encoder(embedded, response.words.lengths)

    def _shares(self, winner: Tensor) -> dict[str, Tensor]:
        """Return the largest group's share of the batch: 1 means that the separation has collapsed."""
        return {"largest_group": torch.bincount(winner, minlength=self.groups).max() / len(winner)}

    # --- likelihood ---

    def likelihood(self, batch: Batch, generator: torch.Generator) -> Likelihood:
        """Return nll and KL of the winning copy (an oracle: it is chosen with the reference).

        ``bound`` treats the group as a latent variable with a uniform prior: -log (1/N) sum_j p(r|c_j, z_j) p(z_j) /
        q(z_j), with one draw of z for each copy. The mean inside the log estimates p(r|c) without bias, so the bound
        is never too low in expectation (Burda et al. 2016). KL_j in place of the ratio at z_j would be: the log of a
        mean over noisy copies profits from the noise.
        """
        scored = self._score_copies(batch, self._noise(batch, generator))
        winner = scored.best()
        rows = torch.arange(len(batch), device=winner.device)
        bound = importance_estimate(-(scored.nll + scored.log_ratio).t())
        nll, kl_units, mean, condition, _ = (value[rows, winner] for value in scored)
        named = torch.full_like(nll, math.log(self.groups))
        return Likelihood(nll, kl_units.sum(-1), bound, mean, winner, condition, kl_units=kl_units, group_nats=named)

    def latent_use(self, batch: Batch, others: Response, generator: torch.Generator) -> Tensor:
        """Measure what the winning copy loses when its z comes from the posterior of another response."""
        noise = self._noise(batch, generator)
        winner = self._score_copies(batch, noise).best()
        context = self._encode_marked(batch, winner)
        of_winner = noise[torch.arange(len(batch), device=winner.device), winner]
        posteriors = (
            Gaussian.of(self.recognition(torch.cat([context, self.encode_response(each)], -1)))
            for each in (batch, replace(batch, response=others))
        )
        own, foreign = (self.reconstruction(batch, context, each.sample(of_winner))["nll"] for each in posteriors)
        return foreign - own

    def importance_nll(self, batch: Batch, generator: torch.Generator, samples: int) -> Tensor:
        """Enumerate the groups (uniform prior), with ``samples`` draws of z for each."""
        contexts = self._encode_copies(batch)
        response = self.encode_response(batch).repeat_interleave(self.groups, 0)
        posterior = Gaussian.of(self.recognition(torch.cat([contexts, response], -1)))
        prior = Gaussian.of(self.prior(contexts))

        def nll(z: Tensor) -> Tensor:
            return self._copies_nll(batch, torch.cat([contexts, z], -1)).flatten()

        weights = importance_weights(posterior, prior, nll, generator, samples).unflatten(1, (-1, self.groups))
        return importance_estimate(weights.transpose(0, 1).flatten(1).t())

    # --- responses ---

    def generate(self, batch: Batch, decode: Decode, selection: str, generator: torch.Generator) -> Generated:
        """Write one response for each example, of the group that ``selection`` chooses.

        ``context``: of N responses the one whose encoding is closest to the context's, the test rule (section 6.1).

        ``oracle``: the copy that explains the reference best, as the paper does on validation.
        """
        if selection == "oracle":
            group = needed(batch.group, "group")
            return Generated(self._respond(self._encode_marked(batch, group), decode, generator), group)
        tokens = self._respond(self._encode_copies(batch), decode, generator)
        chosen = self.closeness(batch, tokens).argmax(1)
        by_example = tokens.view(len(batch), self.groups, -1)
        return Generated(by_example[torch.arange(len(batch), device=chosen.device), chosen], chosen)

    def _respond(self, context: Tensor, decode: Decode, generator: torch.Generator) -> Tensor:
        z = Gaussian.of(self.prior(context)).draw(generator)
        return decode(DecoderSteps(self.decoder, self.embeddings, torch.cat([context, z], -1)))

    def closeness(self, batch: Batch, tokens: Tensor) -> Tensor:
        if self.options.similarity == "cosine":
            return super().closeness(batch, tokens)
        responses, context, is_empty = self._compared(batch, tokens)  # favours encodings of large norm
        return (responses * context).sum(-1).masked_fill(is_empty, -torch.inf)
