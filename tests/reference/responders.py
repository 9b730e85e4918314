"""Seq2Seq, CVAE(+BOW) and ClusterCVAE, an example at a time: encodings, likelihoods and objectives in nats."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from reference import gaussians
from reference.examples import Example, average
from reference.gaussians import Gaussian
from reference.layers import Weights, expectation, gru_states, linear, log_probability, tanh_network


class Explained(NamedTuple):
    """Values of one example, or of one copy: what z must explain by name, and the latent variable's part."""

    terms: dict[str, Tensor]
    kl_units: Tensor
    posterior_mean: Tensor
    condition: Tensor
    log_ratio: Tensor | None = None  # log q(z) - log p(z) of the z that was drawn

    @property
    def kl(self) -> Tensor:
        return self.kl_units.sum()

    @property
    def reconstruction(self) -> Tensor:
        return torch.stack(list(self.terms.values())).sum()


# --- networks ---


def vectors_of(weights: Weights, ids: Sequence[int]) -> list[Tensor]:
    return [weights["embeddings"][i] for i in ids]


def encoding(weights: Weights, vectors: list[Tensor]) -> Tensor:
    """Return the last states of both directions of the encoder, forwards first."""
    start = torch.zeros(weights["encoder.gru.weight_hh_l0"].shape[1], dtype=torch.float64)
    forwards = gru_states(weights, "encoder.gru.*_l0", vectors, start)[-1]
    backwards = gru_states(weights, "encoder.gru.*_l0_reverse", vectors[::-1], start)[-1]
    return torch.cat([forwards, backwards])


def decoder_states(weights: Weights, vectors: list[Tensor], condition: Tensor) -> list[Tensor]:
    """Return the top layer's states; each layer starts from a part of its own of a linear map of the condition."""
    hidden = weights["decoder.output.weight"].shape[1]
    for layer, start in enumerate(linear(weights, "decoder.initial", condition).split(hidden)):
        vectors = gru_states(weights, f"decoder.gru.*_l{layer}", vectors, start)
    return vectors


def read_states(weights: Weights, read: list[int], condition: Tensor, beside: Tensor | None = None) -> list[Tensor]:
    """Read words, the start token first; ``beside`` is appended to each of their vectors."""
    vectors = vectors_of(weights, read)
    if beside is not None:
        vectors = [torch.cat([vector, beside]) for vector in vectors]
    return decoder_states(weights, vectors, condition)


def response_states(weights: Weights, case: Example, condition: Tensor, beside: Tensor | None = None) -> list[Tensor]:
    return read_states(weights, [read for read, _ in case.steps], condition, beside)


def negative_log_likelihood(weights: Weights, example: Example, states: list[Tensor]) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for state, (_, target) in zip(states, example.steps, strict=True):
        total = total - log_probability(linear(weights, "decoder.output", state), target)
    return total


def prior(weights: Weights, context: Tensor) -> Gaussian:
    return gaussians.halves(tanh_network(weights, "prior", context))


# --- Seq2Seq ---


def seq2seq_nll(weights: Weights, example: Example) -> Tensor:
    context = encoding(weights, vectors_of(weights, example.context))
    return negative_log_likelihood(weights, example, response_states(weights, example, context))


# --- CVAE and ClusterCVAE ---


class ConditionalVAE:
    """CVAE, or ClusterCVAE where the weights have an embedding of groups."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.has_groups = "group_embedding.weight" in weights
        self.has_bow = "bow.network.0.weight" in weights

    def context(self, example: Example) -> Tensor:
        return encoding(self.weights, vectors_of(self.weights, example.context))

    def posterior(self, example: Example, response: Example | None = None) -> Gaussian:
        """Return q(z | context, response), or q of another example's ``response``; the cluster is always its own."""
        read = (response or example).response
        parts = [self.context(example), encoding(self.weights, vectors_of(self.weights, read))]
        if self.has_groups:
            embedded = self.weights["group_embedding.weight"][example.group]
            parts.append(torch.tanh(linear(self.weights, "group_layer.0", embedded)))
        return gaussians.halves(linear(self.weights, "recognition", torch.cat(parts)))

    def reconstruction(self, example: Example, z: Tensor) -> dict[str, Tensor]:
        condition = torch.cat([self.context(example), z])
        if not self.has_groups:
            states = response_states(self.weights, example, condition)
            return {"nll": negative_log_likelihood(self.weights, example, states)}
        group = self.weights["group_embedding.weight"][example.group]
        states = response_states(self.weights, example, torch.cat([condition, group]), beside=group)
        scores = tanh_network(self.weights, "group_predictor", condition)
        return {
            "nll": negative_log_likelihood(self.weights, example, states),
            "group_nll": -log_probability(scores, example.group),
        }

    def bag_of_words(self, example: Example, z: Tensor) -> Tensor:
        """Sum over the words and the end token, all told from [c; z] at once."""
        scores = tanh_network(self.weights, "bow.network", torch.cat([self.context(example), z]))
        return -torch.stack([log_probability(scores, target) for _, target in example.steps]).sum()

    def explain(self, example: Example, noise: Tensor) -> Explained:
        posterior = self.posterior(example)
        z = gaussians.draw(posterior, noise)
        condition = torch.cat([self.context(example), z])
        kl_units = gaussians.kl_of_units(posterior, prior(self.weights, self.context(example)))
        return Explained(self.reconstruction(example, z), kl_units, posterior[0], condition)

    def loss(self, examples: list[Example], noise: Tensor, weight: float) -> tuple[Tensor, dict[str, list[Tensor]]]:
        """Return the loss and its terms by example: all at full weight but the KL, whose weight is ``weight``."""
        found = [self.explain(example, each) for example, each in zip(examples, noise, strict=True)]
        log = {name: [each.terms[name] for each in found] for name in found[0].terms}
        if self.has_bow:
            z = [each.condition[len(self.context(examples[0])) :] for each in found]
            log["bow"] = [self.bag_of_words(*pair) for pair in zip(examples, z, strict=True)]
        log["kl"] = [each.kl for each in found]
        scales = {name: weight if name == "kl" else 1.0 for name in log}
        return torch.stack([scales[name] * average(log[name]) for name in log]).sum(), log

    def foreign_loss(self, example: Example, other: Example, noise: Tensor) -> Tensor:
        """Return what reconstruction loses when z comes from the posterior of the response of ``other``."""
        own, foreign = (gaussians.draw(self.posterior(example, each), noise) for each in (example, other))
        lost = [torch.stack(list(self.reconstruction(example, z).values())).sum() for z in (foreign, own)]
        return lost[0] - lost[1]

    def importance_nll(self, example: Example, noises: Tensor) -> Tensor:
        posterior, before = self.posterior(example), prior(self.weights, self.context(example))
        log_weights = []
        for noise in noises:
            z = gaussians.draw(posterior, noise)
            explained = torch.stack(list(self.reconstruction(example, z).values())).sum()
            log_weights.append(gaussians.log_density(before, z) - gaussians.log_density(posterior, z) - explained)
        return -gaussians.log_mean_weight(log_weights)

    def decoding(self, example: Example, noise: Tensor) -> tuple[Tensor, Tensor | None, int | None]:
        """Return what decoding starts from, what it reads beside each word, and the group that is likeliest."""
        condition = torch.cat(
            [self.context(example), gaussians.draw(prior(self.weights, self.context(example)), noise)]
        )
        if not self.has_groups:
            return condition, None, None
        scores = tanh_network(self.weights, "group_predictor", condition)
        group = expectation(scores, self.weights["group_embedding.weight"])
        return torch.cat([condition, group]), group, int(scores.argmax())


def decoding_scores(weights: Weights, read: list[int], condition: Tensor, beside: Tensor | None = None) -> list[Tensor]:
    """Return the scores of the word after each of the words ``read``, the start token first."""
    return [linear(weights, "decoder.output", state) for state in read_states(weights, read, condition, beside)]
