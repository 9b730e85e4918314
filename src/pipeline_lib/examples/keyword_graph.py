"""The graph of keywords (Li et al. 2022, section 3.3): which keywords answer the same keyword, and which do not.

Nodes are the keywords of both sides, a word being one node. Two edges lead from the keyword of a response: a positive
one to every keyword of a response whose context has the same keyword, a negative one to every keyword of such an
example's negative.

A million pairs may have tens of millions of edges. So they are held as sparse matrices, five bytes an edge, and sorted
some rows at a time.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_FEWEST = 2  # impostors of a keyword
_BLOCK = 1 << 20  # edges that are sorted together


class KeywordGraph(NamedTuple):
    """Keywords and edges.

    Attributes:
        words: (N) string, in order of first appearance among keywords of contexts, of responses, of negatives, others.
        positive, negative: (N, N), true where an edge leads from the row's keyword to the column's; in each row the
            columns rise. No keyword has an edge to itself.
    """

    words: pa.Array
    positive: "csr_array"
    negative: "csr_array"


def keyword_graph(
    contexts: Sequence[str], responses: Sequence[str], negatives: Sequence[str], others: Sequence[str] = ()
) -> KeywordGraph:
    """Build the graph of the keywords of all examples, one of each of the three texts.

    Args:
        others: further keywords, which have no edge unless an example has them too.
    """
    from scipy.sparse import csr_array

    every = pa.array([*contexts, *responses, *negatives, *others], pa.string()).dictionary_encode()
    asked, said, other = every.indices.to_numpy()[: 3 * len(contexts)].astype(np.int64).reshape(3, -1)
    size = len(every.dictionary)

    def answers(keywords: NDArray[np.int64]) -> "csr_array":
        """(N, N): keyword of a response or negative by keyword of the context."""
        return csr_array((np.ones(len(keywords), np.int32), (keywords, asked)), shape=(size, size))

    of_responses = answers(said)
    return KeywordGraph(every.dictionary, *(_linked(of_responses @ far.T) for far in (of_responses, answers(other))))


def _linked(product: "csr_array") -> "csr_array":
    """Return an edge where a product has a value off its diagonal."""
    product.sort_indices()
    kept = np.empty(product.nnz, bool)
    for rows, edges in _blocks(product):
        kept[edges] = product.indices[edges] != rows
    return _only(product, kept)


def _only(matrix: "csr_array", kept: NDArray[np.bool_]) -> "csr_array":
    """Return the edges that are ``kept``, (E,) of those of a matrix."""
    from scipy.sparse import csr_array

    ends = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
    return csr_array((np.ones(ends[-1], bool), matrix.indices[kept], ends), shape=matrix.shape)


def _blocks(matrix: "csr_array") -> Iterator[tuple[NDArray[np.int64], slice]]:
    """Divide the rows of a matrix: yield the row of each edge of a part, and where its edges are."""
    first, starts = 0, matrix.indptr
    while first < len(starts) - 1:
        past = max(first + 1, int(np.searchsorted(starts, starts[first] + _BLOCK, "right")) - 1)
        rows = np.repeat(np.arange(first, past), np.diff(starts[first : past + 1]))
        yield rows, slice(starts[first], starts[past])
        first = past


def neighbours(graph: KeywordGraph, matrix: "csr_array", most: int) -> NDArray[np.int64]:
    """List the neighbours of each node by the edges of a matrix, those of most edges first; -1 fills up.

    Args:
        matrix: of the graph, or a part of one.
    Returns:
        (N, most) int64.
    """
    degrees = _degrees(graph)
    table = np.full((len(graph.words), most), -1)
    for here, edges in _blocks(matrix):
        there = matrix.indices[edges]
        order = np.lexsort((there, -degrees[there], here))
        place = np.arange(len(here)) - np.searchsorted(here, here)  # `here` rises before and after
        kept = place < most
        table[here[kept], place[kept]] = there[order][kept]
    return table


def impostor_candidates(graph: KeywordGraph, most: int) -> NDArray[np.int64]:
    """List for each node what may pass for it: negative neighbours that are no positive ones, of most edges first.

    A node that has fewer than two of them has the nodes of most edges too, as far as they are no positive neighbours:
    so one is left when the keyword of the context is left out.

    Args:
        most: candidates of a node at most, 2 at least.
    Returns:
        (N, most) int64, filled up with -1.
    """
    table = neighbours(graph, _without(graph.negative, graph.positive), most)
    by_degree = np.argsort(-_degrees(graph), kind="stable")
    starts, ends = graph.positive.indptr[:-1], graph.positive.indptr[1:]
    for node in np.flatnonzero((table[:, :_FEWEST] < 0).any(1)):
        own = table[node][table[node] >= 0]
        barred = {node, *own.tolist(), *graph.positive.indices[starts[node] : ends[node]].tolist()}
        others = [other for other in by_degree[: len(barred) + _FEWEST].tolist() if other not in barred]
        filled = [*own.tolist(), *others][:_FEWEST]
        table[node, : len(filled)] = filled
    return table


def _without(matrix: "csr_array", other: "csr_array") -> "csr_array":
    """Return the edges of a matrix that another lacks."""
    size, kept = len(matrix.indptr) - 1, np.empty(matrix.nnz, bool)
    for rows, edges in _blocks(matrix):
        first, past = (rows[0], rows[-1] + 1) if len(rows) else (0, 0)
        starts = other.indptr[first : past + 1]
        theirs = np.repeat(np.arange(first, past), np.diff(starts)) * size + other.indices[starts[0] : starts[-1]]
        kept[edges] = ~np.isin(rows * size + matrix.indices[edges], theirs, assume_unique=True)
    return _only(matrix, kept)


def _degrees(graph: KeywordGraph) -> NDArray[np.int64]:
    positive, negative = (np.bincount(one.indices, minlength=len(graph.words)) for one in graph[1:])
    return positive + negative


def node_of(graph: KeywordGraph, words: Sequence[str]) -> NDArray[np.int64]:
    """Return the node of each keyword, -1 for one that the graph lacks."""
    return pc.fill_null(pc.index_in(pa.array(words, pa.string()), graph.words), -1).to_numpy().astype(np.int64)
