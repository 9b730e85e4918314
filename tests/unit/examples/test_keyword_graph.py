"""The keyword graph, against its definition written as loops."""

import random
from collections import Counter

import numpy as np
import pytest

from pipeline_lib.examples import keyword_graph as graphs
from pipeline_lib.examples.keyword_graph import KeywordGraph, impostor_candidates, keyword_graph, neighbours, node_of

RNG = random.Random(3)
TRIPLES = [tuple(RNG.choice("abcdefghijklmnop") for _ in range(3)) for _ in range(60)]
TRIPLES += [("q", "r", "s")]  # r has one negative neighbour


SIGNS = ("positive", "negative")


@pytest.fixture(params=[1, 7, 1 << 20], autouse=True)
def block(request, monkeypatch) -> None:
    """Edges that are sorted together: whatever their number, the graph is the same."""
    monkeypatch.setattr(graphs, "_BLOCK", request.param)


def edges_of(graph: KeywordGraph) -> list[tuple[str, str, str]]:
    words = graph.words.to_pylist()
    matrices = {sign: getattr(graph, sign).tocoo() for sign in SIGNS}
    return [(words[i], words[j], sign) for sign, one in matrices.items() for i, j in zip(*one.coords, strict=True)]


def by_loops() -> set[tuple[str, str, str]]:
    found = set()
    for asked, said, _ in TRIPLES:
        for other_asked, other_said, other_negative in TRIPLES:
            if asked == other_asked:
                found |= {(said, other_said, "positive"), (said, other_negative, "negative")}
    return {edge for edge in found if edge[0] != edge[1]}


def test_edges_lead_to_all_that_answers_the_same_keyword_and_to_its_negatives():
    edges = edges_of(keyword_graph(*zip(*TRIPLES, strict=True)))
    assert len(edges) == len(set(edges))
    assert set(edges) == by_loops()


def test_further_keywords_stand_last_and_have_no_edges():
    graph = keyword_graph(*zip(*TRIPLES, strict=True), ["a", "unheard", "z", "unheard"])
    assert graph.words.to_pylist()[-2:] == ["unheard", "z"]
    assert set(edges_of(graph)) == by_loops()
    assert neighbours(graph, graph.positive, 2)[-2:].tolist() == [[-1, -1]] * 2


def of(word: str, sign: str) -> set[str]:
    return {j for i, j, s in by_loops() if i == word and s == sign}


def test_no_impostor_is_a_positive_neighbour_or_the_keyword_itself_and_each_keyword_has_two():
    graph = keyword_graph(*zip(*TRIPLES, strict=True))
    words = graph.words.to_pylist()
    degree = Counter(j for _, j, _ in by_loops())
    table = impostor_candidates(graph, most=16)
    filled = 0
    for number, word in enumerate(words):
        found = [words[candidate] for candidate in table[number] if candidate >= 0]
        negative, positive = (of(word, sign) for sign in ("negative", "positive"))
        assert len(set(found)) == len(found) >= 2
        if len(negative - positive) >= 2:
            assert set(found) == negative - positive
            continue
        filled += 1
        assert not set(found) & (positive | {word})
        others = sorted(set(words) - set(found) - positive - {word}, key=lambda one: -degree[one])
        added = [one for one in found if one not in negative]
        assert min(degree[one] for one in added) >= degree[others[0]]
    assert filled
    assert np.array_equal(impostor_candidates(graph, most=2), table[:, :2])


@pytest.mark.parametrize("sign", SIGNS)
def test_the_neighbours_that_are_listed_are_those_of_most_edges(sign):
    graph = keyword_graph(*zip(*TRIPLES, strict=True))
    words, degree = graph.words.to_pylist(), Counter(j for _, j, _ in by_loops())
    for number, word in enumerate(words):
        listed = [words[node] for node in neighbours(graph, getattr(graph, sign), 3)[number] if node >= 0]
        assert [degree[one] for one in listed] == sorted((degree[one] for one in of(word, sign)), reverse=True)[:3]
        assert set(listed) <= of(word, sign)


def test_a_keyword_that_training_lacks_has_no_node():
    graph = keyword_graph(*zip(*TRIPLES, strict=True))
    assert node_of(graph, ["unheard", graph.words[2].as_py()]).tolist() == [-1, 2]
