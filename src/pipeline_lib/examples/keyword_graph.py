"""The graph of keywords (Li et al. 2022, section 3.3): which keywords answer the same keyword, and which do not.

Nodes are the keywords of both sides, a word being one node. Two edges lead from the keyword of a response: a positive
one to every keyword of a response whose context has the same keyword, a negative one to every keyword of such an
example's negative.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

POSITIVE, NEGATIVE = 0, 1
_FEWEST = 2  # impostors of a keyword


@dataclass(frozen=True)
class KeywordGraph:
    """Keywords and edges.

    Attributes:
        words: (N) string, in order of first appearance among keywords of contexts, of responses, of negatives.
        edges: (2, E) int64, sorted, each once.
        signs: (E,) int64, `POSITIVE` or `NEGATIVE`.
    """

    words: pa.Array
    edges: NDArray[np.int64]
    signs: NDArray[np.int64]


def keyword_graph(contexts: Sequence[str], responses: Sequence[str], negatives: Sequence[str]) -> KeywordGraph:
    """Build the graph of the keywords of all examples, one of each of the three texts."""
    from scipy.sparse import csr_array

    every = pa.array([*contexts, *responses, *negatives], pa.string()).dictionary_encode()
    asked, said, other = every.indices.to_numpy().astype(np.int64).reshape(3, -1)
    size = len(every.dictionary)

    def answers(keywords: NDArray[np.int64]) -> "csr_array":
        """(N, N): keyword of a response or negative by keyword of the context."""
        return csr_array((np.ones(len(keywords), np.int32), (keywords, asked)), shape=(size, size))

    of_responses = answers(said)
    found = []
    for sign, neighbours in ((POSITIVE, of_responses), (NEGATIVE, answers(other))):
        both = (of_responses @ neighbours.T).tocoo()
        apart = both.row != both.col
        found.append(np.stack([both.row[apart], both.col[apart], np.full(apart.sum(), sign)]))
    here, there, signs = np.concatenate(found, 1).astype(np.int64)
    order = np.lexsort((there, here, signs))
    return KeywordGraph(every.dictionary, np.stack([here, there])[:, order], signs[order])


def neighbours(graph: KeywordGraph, sign: int, most: int) -> NDArray[np.int64]:
    """List the neighbours of each node by edges of one sign, those of most edges first; -1 fills up.

    Returns:
        (N, most) int64.
    """
    here, there = graph.edges[:, graph.signs == sign]
    return _listed(graph, here, there, most)


def impostor_candidates(graph: KeywordGraph, most: int) -> NDArray[np.int64]:
    """List for each node what may pass for it: negative neighbours that are no positive ones, of most edges first.

    A node that has fewer than two of them has the nodes of most edges too, as far as they are no positive neighbours:
    so one is left when the keyword of the context is left out.

    Args:
        most: candidates of a node at most, 2 at least.
    Returns:
        (N, most) int64, filled up with -1.
    """
    size = len(graph.words)
    keys = graph.edges[0] * size + graph.edges[1]
    positive, negative = (keys[graph.signs == sign] for sign in (POSITIVE, NEGATIVE))
    only = np.setdiff1d(negative, positive)
    table = _listed(graph, only // size, only % size, most)
    by_degree = np.argsort(-_degrees(graph), kind="stable")
    for node in np.flatnonzero((table[:, :_FEWEST] < 0).any(1)):
        own = table[node][table[node] >= 0]
        own_positive = positive[np.searchsorted(positive, node * size) : np.searchsorted(positive, (node + 1) * size)]
        barred = {node, *own.tolist(), *(own_positive % size).tolist()}
        others = [other for other in by_degree[: len(barred) + _FEWEST].tolist() if other not in barred]
        filled = [*own.tolist(), *others][:_FEWEST]
        table[node, : len(filled)] = filled
    return table


def _degrees(graph: KeywordGraph) -> NDArray[np.int64]:
    return np.bincount(graph.edges[1], minlength=len(graph.words))


def _listed(graph: KeywordGraph, here: NDArray[np.int64], there: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """List for each node ``here`` up to ``most`` of its nodes ``there``, those of most edges first; -1 fills up."""
    order = np.lexsort((there, -_degrees(graph)[there], here))
    here, there = here[order], there[order]
    place = np.arange(len(here)) - np.searchsorted(here, here)
    kept = place < most
    table = np.full((len(graph.words), most), -1)
    table[here[kept], place[kept]] = there[kept]
    return table


def node_of(graph: KeywordGraph, words: Sequence[str]) -> NDArray[np.int64]:
    """Return the node of each keyword, -1 for one that the graph lacks."""
    return pc.fill_null(pc.index_in(pa.array(words, pa.string()), graph.words), -1).to_numpy().astype(np.int64)
