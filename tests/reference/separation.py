"""SepaCVAE as its paper's Algorithm 2 runs it: every copy of every example with gradient, losers multiplied by 0."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from reference import gaussians
from reference.examples import Example, average
from reference.layers import Weights, cosine, expectation, linear, log_probability
from reference.responders import (
    Explained,
    encoding,
    negative_log_likelihood,
    prior,
    response_states,
    vectors_of,
)

DEFAULTS = {
    "noise": "copy",
    "kl_weight": 1,
    "kl_annealing": True,
    "relationship": "mean",
    "generated_words": "expected",
    "marks_on_padding": False,
    "similarity": "cosine",
    "classifier": True,
    "blocking": True,
    "winner": "best",
}


class Separated:
    """SepaCVAE with N ``groups``.

    Args:
        longest: tokens of the longest context of the batch, which bounds marked padding from below.
    """

    def __init__(self, weights: Weights, groups: int, longest: int, options: Mapping[str, Any]) -> None:
        self.weights, self.groups, self.options = weights, groups, DEFAULTS | options
        self.read_length = max(25, longest)

    # --- one copy of one example ---

    def mark(self, group: int) -> Tensor:
        """Return 1 in the ``group``-th of N equally long stretches of coordinates, 0 elsewhere."""
        size = self.weights["embeddings"].shape[1]
        width = size // self.groups
        return torch.tensor([float(k // width == group) for k in range(size)], dtype=torch.float64)

    def context(self, example: Example, group: int) -> Tensor:
        vectors = vectors_of(self.weights, example.context)
        if self.options["marks_on_padding"]:
            nothing = torch.zeros_like(vectors[0])
            vectors = vectors + [nothing] * (self.read_length - len(vectors))
        return encoding(self.weights, [vector + self.mark(group) for vector in vectors])

    def posterior(self, context: Tensor, response: list[int]) -> gaussians.Gaussian:
        """Return q(z | context, response) of an encoded context."""
        both = torch.cat([context, encoding(self.weights, vectors_of(self.weights, response))])
        return gaussians.halves(linear(self.weights, "recognition", both))

    def explain(self, example: Example, group: int, noise: Tensor) -> Explained:
        context = self.context(example, group)
        posterior = self.posterior(context, example.response)
        z = gaussians.draw(posterior, noise)
        condition = torch.cat([context, z])
        nll = negative_log_likelihood(self.weights, example, response_states(self.weights, example, condition))
        kl_units = gaussians.kl_of_units(posterior, prior(self.weights, context))
        ratio = gaussians.log_density(posterior, z) - gaussians.log_density(prior(self.weights, context), z)
        return Explained({"nll": nll}, kl_units, posterior[0], condition, ratio)

    def generated(self, example: Example, copy: Explained) -> Tensor:
        """Encode the response as the copy would write it, teacher-forced; the end token is not one of its words."""
        states = response_states(self.weights, example, copy.condition)[: len(example.response)]
        scores = [linear(self.weights, "decoder.output", state) for state in states]
        embeddings = self.weights["embeddings"]
        if self.options["generated_words"] == "logits":
            words = [sum(x * vector for x, vector in zip(each, embeddings, strict=True)).detach() for each in scores]
        else:
            words = [expectation(each, embeddings) for each in scores]
        return encoding(self.weights, words)

    # --- the objective ---

    def copies(self, example: Example, noises: Tensor) -> list[Explained]:
        """Return the N copies; ``noises`` (N, Z), or (1, Z) where the copies share their noise."""
        return [self.explain(example, j, noises[j if len(noises) > 1 else 0]) for j in range(self.groups)]

    def best(self, copies: list[Explained]) -> int:
        return min(range(self.groups), key=lambda j: (copies[j].terms["nll"] + copies[j].kl).item())

    def loss(
        self, examples: list[Example], noise: Tensor, weight: float, random_winners: list[int]
    ) -> tuple[Tensor, dict[str, list[Tensor]]]:
        """Return the loss and its terms by example.

        Args:
            noise: (B, N, Z), or (B, 1, Z) where the copies share theirs.
            random_winners: (B,), the winners where the options have them drawn.
        """
        log: dict[str, list[Tensor]] = {"nll": [], "kl": []}
        every, winners, shown = [], [], []
        for row, example in enumerate(examples):
            copies = self.copies(example, noise[row])
            winner = random_winners[row] if self.options["winner"] == "random" else self.best(copies)
            wins = [float(j == winner) for j in range(self.groups)]
            shares = wins if self.options["blocking"] else [1 / self.groups] * self.groups
            log["nll"].append(sum(s * copy.terms["nll"] for s, copy in zip(shares, copies, strict=True)))
            log["kl"].append(sum(s * copy.kl for s, copy in zip(shares, copies, strict=True)))
            encodings = [win * self.generated(example, copy) for win, copy in zip(wins, copies, strict=True)]
            every += encodings
            winners.append(winner)
            shown.append(sum(encodings))
        kl_weight = weight if self.options["kl_annealing"] else 1.0
        if self.options["kl_weight"] == "1/N":
            kl_weight /= self.groups
        loss = average(log["nll"]) + kl_weight * average(log["kl"])
        if self.options["relationship"] == "mean":
            log["relationship"] = [contrast_of_means(shown, winners)]
        if self.options["relationship"] == "released":
            log["relationship"] = [contrast_of_sums(every, winners, self.groups)]
        if "relationship" in log:
            loss = loss + weight * log["relationship"][0]
        if self.options["classifier"]:
            scores = [linear(self.weights, "group_classifier", each) for each in shown]
            log["group_nll"] = [-log_probability(each, j) for each, j in zip(scores, winners, strict=True)]
            loss = loss + average(log["group_nll"])
        log["largest_group"] = [torch.tensor(max(map(winners.count, winners)) / len(winners))]
        return loss, log

    # --- likelihood and responses ---

    def bound(self, copies: list[Explained]) -> Tensor:
        return -gaussians.log_mean_weight([-(copy.terms["nll"] + copy.log_ratio) for copy in copies])

    def importance_nll(self, example: Example, noises: Tensor) -> Tensor:
        """Average over ``noises`` (S, N, Z), S draws for each group."""
        log_weights = []
        for draws in noises:
            for group, noise in enumerate(draws):
                context = self.context(example, group)
                posterior = self.posterior(context, example.response)
                z = gaussians.draw(posterior, noise)
                states = response_states(self.weights, example, torch.cat([context, z]))
                ratio = gaussians.log_density(prior(self.weights, context), z) - gaussians.log_density(posterior, z)
                log_weights.append(ratio - negative_log_likelihood(self.weights, example, states))
        return -gaussians.log_mean_weight(log_weights)

    def foreign_loss(self, example: Example, other: Example, noises: Tensor) -> Tensor:
        """Return what the best copy loses when its z comes from the posterior of the response of ``other``."""
        group = self.best(self.copies(example, noises))
        context, noise = self.context(example, group), noises[group if len(noises) > 1 else 0]
        nll = []
        for response in (other.response, example.response):
            z = gaussians.draw(self.posterior(context, response), noise)
            states = response_states(self.weights, example, torch.cat([context, z]))
            nll.append(negative_log_likelihood(self.weights, example, states))
        return nll[0] - nll[1]

    def decoding(self, example: Example, group: int, noise: Tensor) -> Tensor:
        """Return what decoding starts from: the marked context beside a draw of the prior."""
        context = self.context(example, group)
        return torch.cat([context, gaussians.draw(prior(self.weights, context), noise)])

    def closeness(self, example: Example, words: list[int]) -> float:
        """Compare a response with the context, which is read without marks."""
        if not words:
            return -math.inf
        one, other = (encoding(self.weights, vectors_of(self.weights, ids)) for ids in (words, example.context))
        return float(cosine(one, other) if self.options["similarity"] == "cosine" else (one * other).sum())


def contrast_of_means(encodings: list[Tensor], groups: list[int]) -> Tensor:
    """Return eq. 4 as printed, a ratio of exponentials of mean similarities, 5 cosines each; 0 if nothing counts."""
    losses = []
    for i in range(len(groups)):
        same = [5 * cosine(encodings[i], encodings[k]) for k in range(len(groups)) if groups[k] == groups[i] and k != i]
        others = [5 * cosine(encodings[i], encodings[k]) for k in range(len(groups)) if groups[k] != groups[i]]
        if same and others:
            up, down = average(same).exp(), average(others).exp()
            losses.append(-torch.log(up / (up + down)))
    return average(losses) if losses else torch.zeros((), dtype=torch.float64)


def contrast_of_sums(encodings: list[Tensor], winners: list[int], groups: int) -> Tensor:
    """Return eq. 4 as the released code has it: sums over N, of inner products of all B * N encodings, rescaled.

    Args:
        encodings: of all copies, example by example; the losers' are 0.
    """
    products = [[(one * other).sum() for other in encodings] for one in encodings]
    low, high = (pick([value for row in products for value in row]) for pick in (min, max))
    rows = [i * groups + winner for i, winner in enumerate(winners)]
    losses = []
    for i, winner in zip(rows, winners, strict=True):
        same, others = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
        for k, group in zip(rows, winners, strict=True):
            similarity = 5 * (products[i][k] - low) / (high - low)
            if group == winner:
                same = same + similarity / groups
            else:
                others = others + similarity / groups
        losses.append(-torch.log(same.exp() / (same.exp() + others.exp())))
    return average(losses)
