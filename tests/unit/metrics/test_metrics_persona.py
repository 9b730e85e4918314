"""Metrics of persona on generated responses: users' own, others', and responses that show nothing."""

import itertools
import math
import random
from dataclasses import replace

import numpy as np
import pytest

from pipeline_lib.config.personas import Personas
from pipeline_lib.corpora.persona_language import USERS, language
from pipeline_lib.corpora.persona_truth import PersonaTruth
from pipeline_lib.corpora.personas import generate
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.persona import (
    Accuracy,
    Consistency,
    Facts,
    Grammatical,
    GroupAccuracy,
    Nats,
    Relevance,
    Style,
)

METRICS = [Accuracy, GroupAccuracy, Nats, Style, Facts, Relevance, Grammatical]
BEFORE = [
    "ahem mate the lamp looks quite rusty still maybe",
    "well mate the drum can wait still tell me your pet maybe okay",
]


def items(responses: list[str], contexts: list[str], users: list[int]) -> Items:
    whole = [f"so look at the drum boss i guess it is quite fine okay <turn> {context}" for context in contexts]
    return replace(Items.of(whole, responses, responses), label=np.array(users))


def said(n: int, speaker: int | None = None) -> tuple[list[str], list[str], list[int]]:
    """Responses by users in turn, or all of them by one speaker."""
    truth, rng = PersonaTruth(), random.Random(2)
    users, contexts = [i % USERS for i in range(n)], [BEFORE[i % 2] for i in range(n)]
    parsed = {text: truth.language.parse(text) for text in BEFORE}
    speakers = users if speaker is None else [speaker] * n
    return [truth.sample(parsed[c], u, rng) for c, u in zip(contexts, speakers, strict=True)], contexts, users


def test_accuracy_groups_and_nats_are_those_of_bayes_rule_written_out():
    responses, contexts, users = said(180)
    found = items(responses, contexts, users)
    words = language()
    accuracy, groups, nats = [], [], []
    for text, user in zip(responses, users, strict=True):
        p = np.ones(USERS)
        for word in text.split():
            if word in words.marker:
                slot, variant = words.marker[word]
                p *= words.style[:, slot, variant]
        best = np.isclose(p, p.max(), rtol=1e-6)
        accuracy.append(best[user] / best.sum())
        of_groups = np.array([p[words.groups == group].mean() for group in range(3)])
        likeliest = np.isclose(of_groups, of_groups.max(), rtol=1e-6)
        groups.append(likeliest[words.groups[user]] / likeliest.sum())
        nats.append(np.log(p[user] / p.mean()))
    np.testing.assert_allclose(Accuracy()(found).per_item, accuracy)
    np.testing.assert_allclose(GroupAccuracy()(found).per_item, groups)
    np.testing.assert_allclose(Nats()(found).per_item, nats)


def enumerated(slots: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Expected accuracy and nats of each user's utterances with these slots, over all strings of their markers."""
    style = np.log(language().style)
    strings = np.array(list(itertools.product(range(style.shape[2]), repeat=len(slots))))
    log_p = sum(style[:, slot, strings[:, place]] for place, slot in enumerate(slots)).T  # (strings, users)
    best = np.isclose(log_p, log_p.max(1, keepdims=True), rtol=0, atol=1e-9)
    nats = log_p - np.logaddexp.reduce(log_p, 1)[:, None] + math.log(USERS)
    p = np.exp(log_p)
    return (p * best / best.sum(1, keepdims=True)).sum(0), (p * nats).sum(0)


def test_references_have_the_accuracy_and_nats_that_enumeration_of_all_marker_strings_expects():
    rows = [row for row in generate(Personas(dialogues=250)).to_pylist() if row["turn"]]
    texts, users = [row["text"] for row in rows], np.array([row["label"] for row in rows])
    before = "ahem mate the lamp looks quite rusty still maybe"
    found = items(texts, [before] * len(texts), users.tolist())
    slots = [tuple(language().marker[word][0] for word in text.split() if word in language().marker) for text in texts]
    expected = {each: enumerated(each) for each in set(slots)}
    for number, metric in enumerate((Accuracy(), Nats())):
        values = metric(found).per_item
        difference = values - [expected[each][number][user] for each, user in zip(slots, users, strict=True)]
        assert abs(difference.mean()) < 4 * difference.std() / math.sqrt(len(difference))


def test_a_response_that_shows_nothing_is_as_good_as_chance():
    found = items(["the lamp is here", ""], BEFORE, [4, 5])
    assert Accuracy()(found).mean == pytest.approx(1 / 60)
    assert GroupAccuracy()(found).mean == pytest.approx(1 / 3)
    assert Nats()(found).mean == pytest.approx(0)
    assert Grammatical()(found).mean == 0
    assert Relevance()(found).mean == 0.5
    assert Style()(found).mean == 1


def test_true_draws_are_grammatical_relevant_and_right_about_facts():
    found = items(*said(120))
    assert Grammatical()(found).mean == Relevance()(found).mean == Facts()(found).mean == 1
    assert Facts()(found).n == 60  # every second context asks


def test_another_user_is_told_apart_by_style_and_by_facts():
    own, other = items(*said(600)), items(*said(600, speaker=9))
    assert Style()(own).mean < 0.2 < 0.4 < Style()(other).mean
    right = [language().own_facts[i % USERS]["pet"] == language().own_facts[9]["pet"] for i in range(1, 600, 2)]
    assert Facts()(other).mean == pytest.approx(np.mean(right))
    two = "well my own pet was always cat dog"
    assert Facts()(items([two], [BEFORE[1]], [0])).mean == 0


def test_consistency_is_the_share_of_pairs_that_one_user_is_likeliest_for():
    texts, contexts, users = said(60, speaker=4)
    other, _, _ = said(60, speaker=9)
    mixed = [texts[0], texts[1], other[0], texts[2], "nothing", "to see"]
    six = replace(items(mixed, contexts[:6], users[:6]), example=np.array([0, 0, 0, 1, 1, 1]))
    likeliest = [language().shown(text.split(" ")) for text in mixed]
    shares = [(own > own.max() - 1e-9) / (own > own.max() - 1e-9).sum() for own in likeliest]
    expected = [
        np.mean([shares[a] @ shares[b] for a in rows for b in rows if a < b]) for rows in ((0, 1, 2), (3, 4, 5))
    ]
    assert Consistency()(six).mean == pytest.approx(np.mean(expected))
    uneven = replace(six, example=np.array([0, 0, 0, 1, 2, 2]))  # one response to the second context: no pair
    expected[1] = shares[4] @ shares[5]
    assert Consistency()(uneven).mean == pytest.approx(np.mean(expected))
    assert Consistency()(uneven).n == 2
    assert Consistency()(items(texts, contexts, users)).mean is None
    strangers = replace(six, label=np.full(6, USERS))  # of a number that no user of the corpus has
    for metric in METRICS:
        assert (metric()(strangers).mean, metric()(strangers).n) == (None, strangers.n_examples)


def test_responses_to_other_corpora_have_no_such_value():
    plain = Items.of(["how are you"], ["fine"], ["fine"])
    for other in (plain, replace(plain, label=np.array([3])), replace(plain, label=np.array([-1]))):
        assert all(metric()(other).mean is None for metric in METRICS)
