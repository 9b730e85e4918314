"""The keyword graph, against its definition written as loops."""

import random
from collections import Counter

import numpy as np
import pytest

from pipeline_lib.examples.keyword_graph import (
    NEGATIVE,
    POSITIVE,
    impostor_candidates,
    keyword_graph,
    neighbours,
    node_of,
)

RNG = random.Random(3)
TRIPLES = [tuple(RNG.choice("abcdefghijklmnop") for _ in range(3)) for _ in range(60)]
TRIPLES += [("q", "r", "s")]  # r has one negative neighbour


def by_loops() -> set[tuple[str, str, int]]:
    found = set()
    for asked, said, _ in TRIPLES:
        for other_asked, other_said, other_negative in TRIPLES:
            if asked == other_asked:
                found |= {(said, other_said, POSITIVE), (said, other_negative, NEGATIVE)}
    return {edge for edge in found if edge[0] != edge[1]}


def test_edges_lead_to_all_that_answers_the_same_keyword_and_to_its_negatives():
    graph = keyword_graph(*zip(*TRIPLES, strict=True))
    words = graph.words.to_pylist()
    edges = [(words[i], words[j], int(s)) for i, j, s in zip(*graph.edges, graph.signs, strict=True)]
    assert len(edges) == len(set(edges))
    assert set(edges) == by_loops()


def of(word: str, sign: int) -> set[str]:
    return {j for i, j, s in by_loops() if i == word and s == sign}


def test_no_impostor_is_a_positive_neighbour_or_the_keyword_itself_and_each_keyword_has_two():
    graph = keyword_graph(*zip(*TRIPLES, strict=True))
    words = graph.words.to_pylist()
    degree = Counter(j for _, j, _ in by_loops())
    table = impostor_candidates(graph, most=16)
    filled = 0
    for number, word in enumerate(words):
        found = [words[candidate] for candidate in table[number] if candidate >= 0]
        negative, positive = (of(word, sign) for sign in (NEGATIVE, POSITIVE))
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


@pytest.mark.parametrize("sign", [POSITIVE, NEGATIVE])
def test_the_neighbours_that_are_listed_are_those_of_most_edges(sign):
    graph = keyword_graph(*zip(*TRIPLES, strict=True))
    words, degree = graph.words.to_pylist(), Counter(j for _, j, _ in by_loops())
    for number, word in enumerate(words):
        listed = [words[node] for node in neighbours(graph, sign, 3)[number] if node >= 0]
        assert [degree[one] for one in listed] == sorted((degree[one] for one in of(word, sign)), reverse=True)[:3]
        assert set(listed) <= of(word, sign)


def test_a_keyword_that_training_lacks_has_no_node():
    graph = keyword_graph(*zip(*TRIPLES, strict=True))
    assert node_of(graph, ["unheard", graph.words[2].as_py()]).tolist() == [-1, 2]
