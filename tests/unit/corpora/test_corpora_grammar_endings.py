"""The exact distribution of endings, and pairs of one meaning, against enumeration of a small grammar."""

import math
import random
from collections import Counter, defaultdict

import pytest

from pipeline_lib.config.grammar import Grammar
from pipeline_lib.corpora.grammar import draw
from pipeline_lib.corpora.grammar_endings import Endings
from pipeline_lib.corpora.grammar_pairs import pairs
from pipeline_lib.corpora.grammar_parser import Parser
from pipeline_lib.corpora.grammar_rules import grammar_of

SMALL = grammar_of(Grammar(topics=2, words_per_slot=2))
DEFAULT = grammar_of(Grammar())


@pytest.fixture(scope="module")
def sentences():
    """Every sentence of the small grammar with its probability."""
    found = defaultdict(float)
    for topic in SMALL.topics:
        for template in SMALL.templates:
            for filling in topic.fillings(template):
                found[tuple(template.fill(filling))] += math.exp(SMALL.log_p(topic, template))
    return found


@pytest.mark.parametrize("hidden", [1, 2, 3, 5])
def test_endings_have_their_share_of_all_sentences_with_the_same_beginning_and_length(sentences, hidden):
    joint = defaultdict(dict)
    for words, probability in sentences.items():
        if len(words) >= hidden:
            joint[words[: len(words) - hidden], len(words)][words[len(words) - hidden :]] = probability
    endings = Endings(SMALL)
    for (prefix, length), expected in joint.items():
        found, total = endings.given(prefix, length), sum(expected.values())
        assert found == pytest.approx({ending: share / total for ending, share in expected.items()})


def test_without_any_known_word_endings_are_the_sentences_of_that_length(sentences):
    expected = {words: share for words, share in sentences.items() if len(words) == 9}
    assert Endings(SMALL).given((), 9) == pytest.approx({w: p / sum(expected.values()) for w, p in expected.items()})


def test_nothing_follows_what_no_sentence_begins_with():
    assert Endings(SMALL).given(("soup", "soup"), 8) == {}


def test_the_share_of_a_drawn_ending_agrees_with_the_probability_of_its_sentence():
    parser, endings, rng = Parser(DEFAULT), Endings(DEFAULT), random.Random(3)
    for _ in range(40):
        words = draw(DEFAULT, rng)[0]
        prefix, ending = words[:-3], tuple(words[-3:])
        found = endings.given(prefix, len(words))
        assert math.fsum(found.values()) == pytest.approx(1)
        ratios = {other: math.exp(parser.log_p([*prefix, *other])) / share for other, share in found.items()}
        assert ratios[ending] == pytest.approx(max(ratios.values())) == pytest.approx(min(ratios.values()))


def test_pairs_are_of_one_topic_and_two_templates_and_half_of_them_of_one_mood():
    parser, drawn = Parser(DEFAULT), list(pairs(DEFAULT, 300, seed=5))
    assert Counter(pair.label for pair in drawn) == {0: 150, 1: 150}
    for pair in drawn:
        first, second = (parser.parses(text.split(" ")) for text in (pair.first, pair.second))
        alike = [
            (a, b)
            for a in first
            for b in second
            if a.topic == b.topic
            and a.template != b.template
            and all(b.filling.get(slot, phrase) == phrase for slot, phrase in a.filling.items())
        ]
        assert alike
        assert all((a.template.mood == b.template.mood) == bool(pair.label) for a, b in alike)


def test_pairs_depend_on_the_seed_alone():
    assert list(pairs(DEFAULT, 20, seed=5)) == list(pairs(DEFAULT, 20, seed=5))
    assert list(pairs(DEFAULT, 20, seed=5)) != list(pairs(DEFAULT, 20, seed=6))
