"""New users: what is known of their style, against enumeration of all styles, and against figures measured before."""

import itertools
import math

import numpy as np
import pytest

from pipeline_lib.corpora.newcomers import Newcomers, counts, log_p_style
from pipeline_lib.corpora.persona_language import FOLLOWED, GROUPS, PREFERRED, language


def p_markers(texts: list[str]) -> float:
    """p(markers) by enumeration: each group, and in the slots that are shown each preferred variant."""
    shown = counts(texts)
    slots = np.flatnonzero(shown.sum(1))
    variants = shown.shape[1]
    total = 0.0
    for group in range(GROUPS):
        of_group = language().of_groups[group]
        for preferred in itertools.product(range(variants), repeat=len(slots)):
            p = 1 / GROUPS
            for slot, variant in zip(slots, preferred, strict=True):
                p *= FOLLOWED * (of_group[slot] == variant) + (1 - FOLLOWED) / variants
                for seen, times in enumerate(shown[slot]):
                    p *= (PREFERRED if seen == variant else (1 - PREFERRED) / (variants - 1)) ** times
            total += p
    return total


def test_what_a_user_shows_is_as_likely_as_the_mean_over_all_styles_that_fit_what_was_shown_before():
    newcomers = Newcomers(1, seed=4)
    for user in range(1):
        told = [newcomers.tell(user) for _ in range(2)]
        said = [text for each in told for text in (each.own, each.response)]
        after, before = p_markers(said), p_markers(said[:-1])
        assert log_p_style(said[:-1], said[-1]) == pytest.approx(math.log(after / before))


def test_the_likelihood_of_a_response_grows_with_what_is_known_to_that_under_the_true_style():
    """Style nats of an utterance after 0, 1, 2, 5 and 10: measured for the design of the corpus."""
    newcomers = Newcomers(150, seed=2)
    found = []
    for user in range(150):
        told = [newcomers.tell(user) for _ in range(6)]
        said = [text for each in told for text in (each.own, each.response)]
        found.append([log_p_style(said[:k], said[-1]) for k in (0, 1, 2, 5, 10)])
    expected = [-6.27, -4.26, -3.33, -2.41, -2.15]
    errors = np.std(found, axis=0) / np.sqrt(150)
    assert (np.abs(np.mean(found, axis=0) - expected) < 3.5 * errors + 0.05).all()
    assert (np.diff(np.mean(found, axis=0)) > 0).all()


def test_an_exchange_takes_up_what_was_said_and_asks_the_user_for_nothing():
    newcomers, known = Newcomers(2, seed=1), language()
    for told in (newcomers.tell(number % 2) for number in range(40)):
        own, other, response = (known.parse(text) for text in (told.own, told.other, told.response))
        assert other.asks is None
        assert response.filling["old"] == other.thing
        assert other.filling.get("old", own.thing) == own.thing
        assert math.isfinite(newcomers.log_p([], told))


def test_new_users_follow_their_groups_as_often_as_known_ones():
    known = Newcomers(300, seed=3).language
    preferred, of_groups = known.style.argmax(2), np.array(known.of_groups)
    follow = (preferred == of_groups[known.groups]).mean()
    assert follow == pytest.approx(FOLLOWED + (1 - FOLLOWED) / 4, abs=0.04)
