"""Attention over a graph whose edges have vectors of their own (Li et al. 2022, equations 4 to 9).

N nodes, E directed edges, d width. An edge leads to the node that attends from the neighbour that it attends to.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class _FeedForward(nn.Module):
    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.expand, self.contract = nn.Linear(inputs, width), nn.Linear(width, width)

    def forward(self, values: Tensor) -> Tensor:
        found: Tensor = self.contract(self.expand(values).relu())
        return found


class RelationalAttention(nn.Module):
    """Iterations in which edges first take up their two ends, then nodes take up their neighbours.

    Args:
        width: d.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.sign = nn.Embedding(2, width)  # of positive edges, and of negative ones
        self.first, self.update = _FeedForward(2 * width, width), _FeedForward(width, width)
        self.edge_query, self.edge_key = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.query, self.key, self.relation, self.value = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, nodes: Tensor, edges: Tensor, signs: Tensor, iterations: int) -> Tensor:
        """Return the (N, d) nodes after some iterations; without edges they stay as they are.

        Args:
            nodes: (N, d).
            edges: (2, E) int64, from the attending node to its neighbour.
            signs: (E,) int64.
        """
        if not edges.shape[1]:
            return nodes
        here, there = edges
        relations = self._first(nodes, here, there) + self.sign(signs)
        for _ in range(iterations):
            relations = self._updated(relations, nodes, (here, there))
            nodes = self._attended(nodes, relations, here, there)
        return nodes

    # A product of an edge with a matrix costs E rows, one of a node N, and there are ten edges to a node: what can be
    # multiplied before it is copied to the edges is, and q . (W r) is taken as (q W) . r.

    def _first(self, nodes: Tensor, here: Tensor, there: Tensor) -> Tensor:
        """Return FFN[h_i; h_j] of every edge."""
        left, right = self.first.expand.weight.chunk(2, 1)
        ends = F.linear(nodes, left, self.first.expand.bias).index_select(0, here) + F.linear(
            nodes, right
        ).index_select(0, there)
        joined: Tensor = self.first.contract(ends.relu())
        return joined

    def _updated(self, relations: Tensor, nodes: Tensor, ends: Sequence[Tensor]) -> Tensor:
        """Equations 4 to 6: an edge weighs its two ends and takes them up."""
        keys = self.edge_key(nodes) @ self.edge_query.weight
        scores = torch.stack([(relations * keys.index_select(0, end)).sum(-1) for end in ends], -1) / math.sqrt(
            self.width
        )
        weights = scores.softmax(-1)
        taken = sum(weights[:, i : i + 1] * nodes.index_select(0, end) for i, end in enumerate(ends))
        return self.update(relations + taken)

    def _attended(self, nodes: Tensor, relations: Tensor, here: Tensor, there: Tensor) -> Tensor:
        """Equations 7 to 9: a node attends to its neighbours and to the edges that lead to them."""
        queries = self.query(nodes)
        of_relation = (queries @ self.relation.weight).index_select(0, here) * relations
        scores = (queries.index_select(0, here) * self.key(nodes).index_select(0, there) + of_relation).sum(
            -1
        ) / math.sqrt(self.width)
        weights = softmax_by(scores, here, len(nodes))
        values = self.value(nodes).index_select(0, there) + relations
        return nodes.index_add(0, here, weights.unsqueeze(-1) * values)


class Neighbourhood(NamedTuple):
    """A part of a graph: its nodes by their number in the graph, (n,) int64, and the edges between them, renumbered."""

    nodes: Tensor
    edges: Tensor  # (2, E) int64
    signs: Tensor  # (E,) int64


def neighbourhood(neighbours: Sequence[Tensor], wanted: Tensor, iterations: int) -> Neighbourhood:
    """Return the part of a graph that decides what ``iterations`` of attention make of some nodes.

    Other nodes of the part are not what they would be in the graph.

    Args:
        neighbours: for each sign the (N, K) int64 neighbours of all nodes, filled up with -1.
        wanted: (M,) int64, each once.
    """
    every = torch.cat(list(neighbours), 1)
    nodes = inner = wanted
    for _ in range(iterations):
        inner, ends = nodes, every[nodes]
        nodes = torch.cat([nodes, ends[ends >= 0]]).unique()
    place = torch.full((len(every),), -1, device=wanted.device).scatter(
        0, nodes, torch.arange(len(nodes), device=wanted.device)
    )
    edges, signs = [], []
    for sign, lists in enumerate(neighbours if iterations else ()):
        row, column = (lists[inner] >= 0).nonzero(as_tuple=True)
        edges.append(torch.stack([place[inner[row]], place[lists[inner[row], column]]]))
        signs.append(torch.full_like(row, sign))
    if not edges:
        return Neighbourhood(nodes, wanted.new_empty(2, 0), wanted.new_empty(0))
    return Neighbourhood(nodes, torch.cat(edges, 1), torch.cat(signs))


def softmax_by(scores: Tensor, group: Tensor, groups: int) -> Tensor:
    """Take the softmax of (E,) scores among those of each group, ``group`` (E,) int64 below ``groups``: (E,)."""
    largest = scores.new_full((groups,), -torch.inf).scatter_reduce(0, group, scores.detach(), "amax")
    exponentials = (scores - largest[group]).exp()
    return exponentials / scores.new_zeros(groups).index_add(0, group, exponentials)[group]
