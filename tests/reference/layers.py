"""Layers as loops over single steps, in plain vector arithmetic: torch's own layers are not used.

``weights`` are the tensors of a state dictionary by name. Vectors have one dimension; a text is a list of vectors.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

Weights = Mapping[str, Tensor]


def linear(weights: Weights, name: str, vector: Tensor) -> Tensor:
    return weights[f"{name}.weight"] @ vector + weights[f"{name}.bias"]


def tanh_network(weights: Weights, name: str, vector: Tensor) -> Tensor:
    """Apply a linear layer, tanh and a second linear layer."""
    return linear(weights, f"{name}.2", torch.tanh(linear(weights, f"{name}.0", vector)))


def squashed(scores: Tensor) -> Tensor:
    """Return the logistic function of ``scores``."""
    return 1 / (1 + torch.exp(-scores))


def gru_states(weights: Weights, name: str, vectors: Sequence[Tensor], state: Tensor) -> list[Tensor]:
    """Return the state after each vector, gates in torch's order: reset, update, new.

    Args:
        name: prefix and suffix of the weights' names, parted by ``*``: ``encoder.gru.*_l0``.
    """
    states = []
    for vector in vectors:
        given = weights[name.replace("*", "weight_ih")] @ vector + weights[name.replace("*", "bias_ih")]
        kept = weights[name.replace("*", "weight_hh")] @ state + weights[name.replace("*", "bias_hh")]
        (r_given, u_given, n_given), (r_kept, u_kept, n_kept) = given.chunk(3), kept.chunk(3)
        reset, update = squashed(r_given + r_kept), squashed(u_given + u_kept)
        new = torch.tanh(n_given + reset * n_kept)
        state = (1 - update) * new + update * state
        states.append(state)
    return states


def lstm_states(weights: Weights, name: str, vectors: Sequence[Tensor], state: Tensor, cell: Tensor) -> list[Tensor]:
    """Return the state h after each vector, gates in torch's order: input, forget, cell, output.

    Args:
        name: prefix of the weights' names, as ``encoder``.
    """
    states = []
    for vector in vectors:
        gates = weights[f"{name}.weight_ih_l0"] @ vector + weights[f"{name}.bias_ih_l0"]
        gates = gates + weights[f"{name}.weight_hh_l0"] @ state + weights[f"{name}.bias_hh_l0"]
        entry, forget, new, out = gates.chunk(4)
        cell = squashed(forget) * cell + squashed(entry) * torch.tanh(new)
        state = squashed(out) * torch.tanh(cell)
        states.append(state)
    return states


def log_probability(scores: Tensor, choice: int) -> Tensor:
    """Return ``log softmax(scores)[choice]`` from the definition of the softmax."""
    return scores[choice] - scores.exp().sum().log()


def expectation(scores: Tensor, vectors: Tensor) -> Tensor:
    """Return the mean of ``vectors`` (V, E) under the softmax of ``scores`` (V,), a sum over V."""
    probabilities = scores.exp() / scores.exp().sum()
    total = torch.zeros_like(vectors[0])
    for probability, vector in zip(probabilities, vectors, strict=True):
        total = total + probability * vector
    return total


def cosine(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum() / ((one * one).sum().sqrt() * (other * other).sum().sqrt())
