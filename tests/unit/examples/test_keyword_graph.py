"""The keyword graph, against its definition written as loops."""

import random

import numpy as np

from pipeline_lib.examples.keyword_graph import NEGATIVE, POSITIVE, impostor_candidates, keyword_graph, node_of

RNG = random.Random(3)
TRIPLES = [tuple(RNG.choice("abcdefghijklmnop") for _ in range(3)) for _ in range(60)]


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


def test_no_impostor_is_a_positive_neighbour_or_the_keyword_itself():
    graph = keyword_graph(*zip(*TRIPLES, strict=True))
    words, edges = graph.words.to_pylist(), by_loops()
    table = impostor_candidates(graph, most=16)
    for number, word in enumerate(words):
        found = {words[candidate] for candidate in table[number] if candidate >= 0}
        negative = {j for i, j, s in edges if i == word and s == NEGATIVE}
        positive = {j for i, j, s in edges if i == word and s == POSITIVE}
        assert found == negative - positive - {word}
    assert np.array_equal(impostor_candidates(graph, most=2), table[:, :2])


def test_a_keyword_that_training_lacks_has_no_node():
    graph = keyword_graph(*zip(*TRIPLES, strict=True))
    assert node_of(graph, ["unheard", graph.words[2].as_py()]).tolist() == [-1, 2]
