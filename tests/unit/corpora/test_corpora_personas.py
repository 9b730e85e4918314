"""The generated users: sentences with one parse, probabilities that add up, references as clear as enumeration says."""

import itertools
import math
import random

import numpy as np
import pytest

from pipeline_lib.config.personas import Personas
from pipeline_lib.corpora.persona_language import ASKED, OPENING, USERS, Template, language
from pipeline_lib.corpora.persona_truth import PersonaTruth
from pipeline_lib.corpora.personas import generate

CONTENT = {"old": "lamp", "new": "piano", "quality": "rusty", "fact": "job", "value": "pilot"}


@pytest.fixture(scope="module")
def truth() -> PersonaTruth:
    return PersonaTruth()


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return generate(Personas(dialogues=300)).to_pylist()


def markings(template: Template) -> list[dict[str, str]]:
    """Every choice of the five markers of a template."""
    slots = [gap for gap in template.gaps if gap in language().slots]
    return [
        dict(zip(slots, words, strict=True)) for words in itertools.product(*(language().slots[slot] for slot in slots))
    ]


def test_every_template_has_five_markers_and_no_marker_is_a_word_of_anything_else():
    words = language()
    markers = [word for variants in words.slots.values() for word in variants]
    fixed = {token for template in words.templates.values() for token in template.tokens if token[0] != "{"}
    values = {value for own in words.facts.values() for value in own}
    others = fixed | set(words.things) | set(words.qualities) | set(words.facts) | values
    assert len(set(markers)) == len(markers) == 32
    assert not others.intersection(markers)
    assert {len(markings(template)) for template in words.templates.values()} == {4**5}


def test_a_sentence_has_exactly_one_template(rows):
    words = language()
    for row in rows[:400]:
        tokens = row["text"].split(" ")
        assert sum(words._filling(template, tokens) is not None for template in words.templates.values()) == 1


def test_the_probabilities_of_all_responses_add_up_to_one(truth):
    words, user = language(), 11
    before = "ahem mate the lamp looks quite rusty still maybe"
    total = 0.0
    for template in words.templates.values():
        contents = [
            CONTENT | {"new": new, "quality": quality, "fact": fact}
            for new in (words.things if "new" in template.gaps else ["piano"])
            for quality in (words.qualities if "quality" in template.gaps else ["rusty"])
            for fact in (words.facts if "fact" in template.gaps else ["job"])
        ]
        first = markings(template)[0]
        possible = [one for one in contents if truth.log_p(before, template.fill(first | one), user) > -math.inf]
        if possible:
            total += len(possible) * sum(
                math.exp(truth.log_p(before, template.fill(marking | possible[0]), user))
                for marking in markings(template)
            )
    assert total == pytest.approx(1, abs=1e-9)


def test_a_question_has_one_right_answer_and_other_openings_are_impossible(truth):
    words = language()
    asked = words.templates["question"].fill(markings(words.templates["question"])[0] | CONTENT)
    answers = [
        words.templates["answer"].fill(markings(words.templates["answer"])[0] | CONTENT | {"value": value})
        for value in words.facts["job"]
    ]
    possible = [text for text in answers if truth.log_p(asked, text, 5) > -math.inf]
    assert [text.split(" ")[6] for text in possible] == [words.own_facts[5]["job"]]
    opening = words.templates[OPENING].fill(markings(words.templates[OPENING])[0] | CONTENT)
    assert truth.log_p(asked, opening, 5) == -math.inf
    assert truth.log_p("no sentence at all", answers[0], 5) == -math.inf


def test_references_show_their_user_as_often_and_as_clearly_as_enumeration_says(rows):
    """Acceptance: accuracy and nats equal, within sampling error, those of all 4^5 marker strings of each template."""
    words = language()
    expected: dict[tuple[str, int], tuple[float, float]] = {}
    for kind, template in words.templates.items():
        slots = [list(words.slots).index(gap) for gap in template.gaps if gap in words.slots]
        strings = np.array(list(itertools.product(range(4), repeat=5)))
        p = np.ones((len(strings), USERS))
        for place, slot in enumerate(slots):
            p *= words.style[:, slot, strings[:, place]].T
        best = np.isclose(p, p.max(1, keepdims=True), rtol=1e-9)
        right, nats = best / best.sum(1, keepdims=True), np.log(p / p.mean(1, keepdims=True))
        for user in range(USERS):
            expected[kind, user] = float(p[:, user] @ right[:, user]), float(p[:, user] @ nats[:, user])
    found = []
    for row in rows:
        parsed = words.parse(row["text"])
        assert parsed is not None
        likely = words.shown(row["text"].split(" "))
        best = np.isclose(likely, likely.max())
        own = best[row["label"]] / best.sum(), likely[row["label"]] - np.log(np.exp(likely).mean())
        found.append(np.subtract(own, expected[parsed.template.kind, row["label"]]))
    error = np.std(found, axis=0) / math.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0)) < 4 * error).all()


def test_what_is_sampled_occurs_as_often_as_its_probability_says(truth):
    before = truth.language.parse("ahem mate the lamp looks quite rusty still maybe")
    rng, n = random.Random(3), 4000
    texts = [truth.sample(before, 7, rng) for _ in range(n)]
    parsed = [truth.language.parse(text) for text in texts]
    share = sum(one.template.kind == "question" for one in parsed) / n
    assert share == pytest.approx(ASKED, abs=4 * math.sqrt(ASKED * (1 - ASKED) / n))
    losses = [-truth.log_p("ahem mate the lamp looks quite rusty still maybe", text, 7) for text in texts]
    slot = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1 / 3))  # nats of one marker
    statement = 0.85 * math.log(8 / 0.85) + 0.85 * (3 * math.log(24) + 5 * math.log(23)) / 8
    entropy = 5 * slot + statement + 0.15 * math.log(4 / 0.15)
    assert np.mean(losses) == pytest.approx(entropy, abs=4 * np.std(losses) / math.sqrt(n))


def test_no_sampled_response_is_likelier_than_the_mode(truth):
    rng = random.Random(5)
    for before in (
        "so look at the drum boss i guess it is quite fine okay",
        "well mate the drum can wait still tell me your pet maybe okay",
    ):
        said = truth.language.parse(before)
        best = truth.log_p(before, truth.mode(said, 3), 3)
        assert best >= max(truth.log_p(before, truth.sample(said, 3, rng), 3) for _ in range(300)) - 1e-12


def test_the_user_is_told_from_the_context_by_bayes_rule_over_both_speakers(truth):
    words = language()
    context = [
        "so look at the drum boss i guess it is quite fine okay",
        "lol friend the drum looks really old still maybe",
    ]
    joint = np.zeros(USERS)
    for own, other in itertools.permutations(range(USERS), 2):
        drawn = [
            words.activity[a] * words.activity[b] / (1 - words.activity[a]) for a, b in ((own, other), (other, own))
        ]
        p = 1.0
        for user, text in ((own, context[0]), (other, context[1])):
            for word in text.split():
                if word in words.marker:
                    slot, variant = words.marker[word]
                    p *= words.style[user, slot, variant]
        joint[own] += sum(drawn) * p
    np.testing.assert_allclose(truth.p_user(context), joint / joint.sum(), rtol=1e-9)


def test_users_are_the_same_whatever_the_seed_and_the_same_seed_gives_the_same_bytes():
    first, again, other = (generate(Personas(dialogues=20, seed=seed)) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)
    assert all(int(row["speaker"][4:]) == row["label"] for row in other.to_pylist())
