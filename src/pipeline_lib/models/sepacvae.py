"""SepaCVAE (Sun et al. 2021): the model separates the contexts into N groups by itself.

Every context is copied N times, each copy marked with one group's vector; only the copy that explains the response
best is trained (`gradient blocking`), a contrast keeps responses of one group together (`relationship enhancement`),
and a classifier tells the group from the response. What the paper leaves open, and how it is settled here, stands in
docs/systems.md; ``faithful`` selects what the authors' released code does instead.
"""

import math
from dataclasses import replace
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline_lib.config import Network, Settings
from pipeline_lib.decoding.greedy import greedy, word_lengths
from pipeline_lib.errors import PipelineError
from pipeline_lib.models.base import Batch, Generated, Likelihood, Objective, normal
from pipeline_lib.models.cvae import CVAE, importance_estimate
from pipeline_lib.models.layers import Gaussian, at_least_float32, kl_divergence, sum_by_example, valid_positions

_FAITHFUL_CONTEXT_LENGTH = 25  # the released code reads every context as this many tokens: padding carries y too


def group_vectors(groups: int, embedding_size: int) -> Tensor:
    """(N, E): row i has ones in coordinates i*d .. (i+1)*d - 1 with d = E // N, zeros elsewhere (section 3.2).

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


def relationship_loss(encodings: Tensor, groups: Tensor, scale: float = 5.0) -> Tensor:
    """Eq. 4: pull responses of one group together, push the others apart.

    The printed ratio of exponentials equals ``softplus(negative - positive)``; evaluated so, it cannot overflow.
    Similarities are cosines times ``scale``, averaged (not summed) over an example's positives and negatives, itself
    excluded, so that the value does not depend on the batch size.

    Args:
        encodings: (B, H) encodings of generated responses, any scale.
        groups: (B,) int64, the winning group of each example.
    Returns:
        Scalar, nats, mean over the examples that have both a positive and a negative; 0 if none has.
    """
    unit = F.normalize(encodings, dim=-1)
    similarity = scale * unit @ unit.T
    same = groups.unsqueeze(0) == groups.unsqueeze(1)
    positives = same & ~torch.eye(len(groups), dtype=torch.bool, device=groups.device)
    negatives = ~same
    has_both = positives.any(1) & negatives.any(1)
    positive = (similarity * positives).sum(1) / positives.sum(1).clamp(min=1)
    negative = (similarity * negatives).sum(1) / negatives.sum(1).clamp(min=1)
    losses = F.softplus(negative - positive) * has_both
    return losses.sum() / has_both.sum().clamp(min=1)


def released_relationship_loss(encodings: Tensor, groups: Tensor, number: int, scale: float = 5.0) -> Tensor:
    """The released code's form of eq. 4: Gram matrix min-max rescaled to [0, scale], sums divided by N, self included.

    The code takes the Gram matrix over all B*N copies with the losers' encodings zeroed; their only effect is that 0
    takes part in minimum and maximum, so they are not built here.

    Args:
        encodings: (B, H) of the winners.
        groups: (B,) int64.
        number: N, the number of groups.
    """
    gram = encodings @ encodings.T
    low, high = gram.min(), gram.max()
    if number > 1:
        low, high = low.clamp(max=0.0), high.clamp(min=0.0)
    similarity = scale * (gram - low) / (high - low).clamp(min=1e-12)
    same = groups.unsqueeze(0) == groups.unsqueeze(1)
    positive = (similarity * same).sum(1) / number
    negative = (similarity * ~same).sum(1) / number
    return F.softplus(negative - positive).mean()


class _Copies(NamedTuple):
    """Networks' outputs for M (example, group) pairs: encoded contexts (M, C), drawn z (M, Z), KL (M,), means."""

    context: Tensor
    z: Tensor
    kl: Tensor
    posterior_mean: Tensor


class SepaCVAE(CVAE):
    """Self-separated CVAE; no bag-of-words term (neither the paper's objective nor the released code has one)."""

    class Options(Settings):
        groups: int = 8
        faithful: bool = False

    selections: ClassVar[tuple[str, ...]] = ("oracle", "context")

    def __init__(self, embeddings: Tensor, network: Network, groups: int, options: Options) -> None:
        super().__init__(embeddings, network, groups, CVAE.Options(bow=False))
        self.groups, self.faithful = options.groups, options.faithful
        self.group_vectors: Tensor
        self.register_buffer("group_vectors", group_vectors(self.groups, embeddings.shape[1]), persistent=False)
        self.group_classifier = nn.Linear(self.encoder.size, self.groups)

    # --- networks over (example, group) pairs ---

    def _encode_marked(self, context: Tensor, lengths: Tensor, group: Tensor) -> Tensor:
        """Encode (M, T) contexts whose every word vector carries the vector of ``group`` (M,)."""
        if self.faithful:
            context = F.pad(context, (0, max(0, _FAITHFUL_CONTEXT_LENGTH - context.shape[1])))
            lengths = torch.full_like(lengths, context.shape[1])
        return self.encoder(self.embed(context) + self.group_vectors[group].unsqueeze(1), lengths)

    def _copies(self, batch: Batch, response: Tensor, rows: Tensor, group: Tensor, noise: Tensor) -> _Copies:
        """``rows`` (M,) examples with ``group`` (M,) and ``noise`` (M, Z); ``response`` (B, 2H) encoded responses."""
        context = self._encode_marked(batch.context[rows], batch.context_lengths[rows], group)
        posterior = Gaussian.of(self.recognition(torch.cat([context, response[rows]], -1)))
        kl = kl_divergence(posterior, Gaussian.of(self.prior(context)))
        return _Copies(context, posterior.sample(noise), kl, posterior.mean)

    def _hidden(self, batch: Batch, rows: Tensor, copies: _Copies) -> Tensor:
        return self.decoder(self.embed(batch.inputs)[rows], torch.cat([copies.context, copies.z], -1))

    def _all_pairs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Rows and groups of the B*N copies, example by example."""
        device = batch.context.device
        rows = torch.arange(len(batch), device=device).repeat_interleave(self.groups)
        return rows, torch.arange(self.groups, device=device).repeat(len(batch))

    def _noise(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """(B, N, Z): one draw shared by the copies of an example; ``faithful``: one draw a copy."""
        draws = self.groups if self.faithful else 1
        noise = normal((len(batch), draws, self.latent), self.embeddings, generator)
        return noise.expand(-1, self.groups, -1)

    def _score_copies(self, batch: Batch, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruction and KL of every copy, (B, N) nats each, and posterior means (B, N, Z)."""
        rows, group = self._all_pairs(batch)
        copies = self._copies(batch, self.encode_response(batch), rows, group, noise.flatten(0, 1))
        hidden = self._hidden(batch, rows, copies)
        nll = self.decoder.negative_log_likelihood(hidden, batch.targets[rows], batch.lengths[rows])
        shape = (len(batch), self.groups)
        return nll.view(shape), copies.kl.view(shape), copies.posterior_mean.view(*shape, self.latent)

    # --- training ---

    def objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        """``mean(nll + w KL) + w L_re + L_Y`` of the winners, which are found without gradient first.

        The loser copies contribute no gradient, so running the winner alone, with the noise it won with, gives the
        gradient of the one-pass form (`objective_in_one_pass`) at about half the cost.
        """
        noise = self._noise(batch, generator)
        with torch.no_grad():
            nll, kl, _ = self._score_copies(batch, noise)
            winner = (nll + kl).argmin(1)  # un-annealed; ties go to the lowest index
        rows = torch.arange(len(batch), device=winner.device)
        copies = self._copies(batch, self.encode_response(batch), rows, winner, noise[rows, winner])
        logits, nll = self._logits_and_nll(batch, self._hidden(batch, rows, copies))
        return self._total(batch, nll, copies.kl, logits, winner, weight)

    def objective_in_one_pass(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        """The same objective as the paper's Algorithm 2 runs it: all B*N copies with gradient, the losers masked.

        Here to be compared with: tests hold the two to the same gradient, benchmarks/training_step.py to their cost.
        """
        noise = self._noise(batch, generator)
        rows, group = self._all_pairs(batch)
        copies = self._copies(batch, self.encode_response(batch), rows, group, noise.flatten(0, 1))
        every = replace(batch, inputs=batch.inputs[rows], targets=batch.targets[rows], lengths=batch.lengths[rows])
        logits, nll = self._logits_and_nll(every, self._hidden(batch, rows, copies))
        shape = (len(batch), self.groups)
        nll, kl = nll.view(shape), copies.kl.view(shape)
        winner = (nll + kl).detach().argmin(1)
        mask = F.one_hot(winner, self.groups)
        of_winner = torch.repeat_interleave(mask.flatten().bool(), every.lengths)
        return self._total(batch, (nll * mask).sum(1), (kl * mask).sum(1), logits[of_winner], winner, weight)

    def _logits_and_nll(self, batch: Batch, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (M, V) of the non-pad positions, example by example, and -log p(response), nats, (B,)."""
        valid = valid_positions(batch.lengths, batch.targets.shape[1])
        logits = at_least_float32(self.decoder.output(hidden[valid]))
        return logits, sum_by_example(F.cross_entropy(logits, batch.targets[valid], reduction="none"), batch.lengths)

    def _total(self, batch: Batch, nll: Tensor, kl: Tensor, logits: Tensor, winner: Tensor, weight: float) -> Objective:
        """From the winners' ``nll`` and ``kl`` (B,) and ``logits`` (M, V) to the loss."""
        # the generated response, teacher-forced, as the words' expected vectors; released code: raw logits, no gradient
        word_weights = logits.detach() if self.faithful else logits.softmax(-1)
        generated = self._encode_generated(word_weights @ self.embeddings, batch)
        classification = F.cross_entropy(at_least_float32(self.group_classifier(generated)), winner)
        if self.faithful:
            relationship = released_relationship_loss(generated, winner, self.groups)
            kl_term = kl.mean() / self.groups  # averaged over B*N entries of which the losers are zero
        else:
            relationship, kl_term = relationship_loss(generated, winner), kl.mean()
        loss = nll.mean() + weight * kl_term + weight * relationship + classification
        log = {"nll": nll, "kl": kl, "relationship": relationship, "group_nll": classification}
        return Objective(loss, {name: value.detach() for name, value in log.items()} | self._shares(winner))

    def _encode_generated(self, rows: Tensor, batch: Batch) -> Tensor:
        """Scatter non-pad (M, E) word vectors into texts and encode their words (the end token's step left out)."""
        valid = valid_positions(batch.lengths, batch.targets.shape[1])
        embedded = rows.new_zeros(*valid.shape, rows.shape[-1])
        embedded[valid] = rows
        return self.encoder(embedded, batch.word_lengths)

    def _shares(self, winner: Tensor) -> dict[str, Tensor]:
        """The largest group's share of the batch: 1 means that the separation has collapsed."""
        return {"largest_group": torch.bincount(winner, minlength=self.groups).max() / len(winner)}

    # --- likelihood ---

    def likelihood(self, batch: Batch, generator: torch.Generator) -> Likelihood:
        """nll and KL of the winning copy (an oracle: it is chosen with the reference).

        ``bound`` treats the group as a latent variable with a uniform prior: -log (1/N) sum_j exp(-(nll_j + KL_j)).
        """
        nll, kl, means = self._score_copies(batch, self._noise(batch, generator))
        winner = (nll + kl).argmin(1)
        rows = torch.arange(len(batch), device=winner.device)
        bound = math.log(self.groups) - (-(nll + kl)).logsumexp(1)
        return Likelihood(nll[rows, winner], kl[rows, winner], bound, means[rows, winner], winner)

    def importance_nll(self, batch: Batch, generator: torch.Generator, samples: int) -> Tensor:
        """The groups are enumerated (uniform prior), ``samples`` are shared out among them, at least one each."""
        rows, group = self._all_pairs(batch)
        contexts = self._encode_marked(batch.context[rows], batch.context_lengths[rows], group)
        response = self.encode_response(batch)[rows]
        posterior = Gaussian.of(self.recognition(torch.cat([contexts, response], -1)))
        prior = Gaussian.of(self.prior(contexts))
        inputs, targets, lengths = self.embed(batch.inputs)[rows], batch.targets[rows], batch.lengths[rows]
        weights = []
        for _ in range(math.ceil(samples / self.groups)):
            z = self._draw(posterior, generator)
            hidden = self.decoder(inputs, torch.cat([contexts, z], -1))
            nll = self.decoder.negative_log_likelihood(hidden, targets, lengths)
            weights.append(prior.log_density(z) - posterior.log_density(z) - nll)
        by_group = torch.stack(weights).view(len(weights), len(batch), self.groups)
        return importance_estimate(by_group.transpose(1, 2).flatten(0, 1))

    # --- responses ---

    def generate(self, batch: Batch, selection: str, max_length: int, generator: torch.Generator) -> Generated:
        """``context``: of N responses the one whose encoding is closest to the context's, the test rule (section 4.3).

        ``oracle``: the copy that explains the reference best, as the paper does on validation.
        """
        if selection == "oracle":
            group = self.likelihood(batch, generator).group
            assert group is not None
            return Generated(self._respond(batch.context, batch.context_lengths, group, max_length, generator), group)
        rows, group = self._all_pairs(batch)
        tokens = self._respond(batch.context[rows], batch.context_lengths[rows], group, max_length, generator)
        chosen = self._closest_to_context(batch, tokens)
        by_example = tokens.view(len(batch), self.groups, -1)
        return Generated(by_example[torch.arange(len(batch), device=chosen.device), chosen], chosen)

    def _respond(
        self, context: Tensor, lengths: Tensor, group: Tensor, max_length: int, generator: torch.Generator
    ) -> Tensor:
        encoded = self._encode_marked(context, lengths, group)
        z = self._draw(Gaussian.of(self.prior(encoded)), generator)
        return greedy(self.decoder, self.embeddings, torch.cat([encoded, z], -1), max_length)

    def _closest_to_context(self, batch: Batch, tokens: Tensor) -> Tensor:
        """(B,) group whose response is most similar to the unmarked context; an empty response loses to any words."""
        lengths = word_lengths(tokens)
        responses = self.encoder(self.embed(tokens), lengths.clamp(min=1)).view(len(batch), self.groups, -1)
        context = self.encode_context(batch).unsqueeze(1)
        if not self.faithful:  # the released code's inner product favours encodings of large norm
            responses, context = F.normalize(responses, dim=-1), F.normalize(context, dim=-1)
        similarity = (responses * context).sum(-1)
        return similarity.masked_fill((lengths == 0).view(similarity.shape), -torch.inf).argmax(1)
