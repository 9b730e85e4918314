"""New users of the generated corpus `personas`, drawn like the sixty known ones, and what can be known of them.

Their style is not given, so the likelihood of what they say next is an average over all styles that a user may have,
each as likely as what they have said so far makes it (Bayes). No model of the same evidence can do better on average.
"""

import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.corpora.persona_language import FOLLOWED, GROUPS, PREFERRED, QUESTION, Language, Utterance, language
from pipeline_lib.corpora.persona_truth import PersonaTruth


@dataclass(frozen=True)
class Told:
    """An exchange with a new user: an own utterance, what the other one answered, and the user's response."""

    own: str
    other: str
    response: str


class Newcomers:
    """So many new users, and a speaker who is known.

    Args:
        number: new users; their groups take turns.
        seed: of their styles, and of what is said.
    """

    def __init__(self, number: int, seed: int) -> None:
        self._rng = random.Random(seed)
        self._known, self._truth = PersonaTruth(), PersonaTruth()
        self._truth.language = self.language = _with_users(number, self._rng)

    def tell(self, user: int) -> Told:
        """Draw an exchange with one of them; nothing in it is asked of the user, as facts are nobody's style."""
        partner = int(self._rng.random() * len(self._known.language.activity))
        while True:
            first = self._parsed(self._known.opening(partner, self._rng))
            own = self._truth.sample(first, user, self._rng)
            other = self._known.sample(self._parsed(own), partner, self._rng)
            if self._parsed(other).template.kind != QUESTION:
                return Told(own, other, self._truth.sample(self._parsed(other), user, self._rng))

    def log_p(self, told: Sequence[Told], asked: Told) -> float:
        """Return log p(response | the exchange before it, all exchanges with the user so far), nats."""
        said = [text for each in told for text in (each.own, each.response)]
        of_one_user = self._known.language.shown(_words(asked.response))[0]
        content = self._known.log_p(asked.other, asked.response, 0) - of_one_user
        return content + log_p_style([*said, asked.own], asked.response)

    def _parsed(self, text: str) -> Utterance:
        parsed = self._known.language.parse(text)
        assert parsed is not None  # generated sentences are of the language
        return parsed


def log_p_style(said: Sequence[str], response: str) -> float:
    """Return log p(markers of a response | utterances of the same user, whose style is not known), nats."""
    seen, shown = counts(said), counts([response])
    before, both = (_evidence(each) for each in (seen, seen + shown))
    return float(np.logaddexp.reduce(both) - np.logaddexp.reduce(before))


def counts(texts: Sequence[str]) -> NDArray[np.int64]:
    """Count the markers of texts, (S, V)."""
    known = language()
    found = np.zeros(known.style.shape[1:], np.int64)
    for word in (word for text in texts for word in _words(text)):
        if (marker := known.marker.get(word)) is not None:
            found[marker] += 1
    return found


def _evidence(shown: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return log p(markers, group) of (S, V) counts, (G,): in each group the slots are independent."""
    variants = shown.shape[1]
    log_p = np.full((variants, variants), np.log((1 - PREFERRED) / (variants - 1)))  # of a variant given the preferred
    np.fill_diagonal(log_p, np.log(PREFERRED))
    given = shown @ log_p  # (S, V): if each variant were the preferred one
    total = np.full(GROUPS, -np.log(GROUPS))
    for group in range(GROUPS):
        prior = np.full(shown.shape, (1 - FOLLOWED) / variants)
        prior[np.arange(len(shown)), language().of_groups[group]] += FOLLOWED
        total[group] += np.logaddexp.reduce(np.log(prior) + given, axis=1).sum()
    return total


def _with_users(number: int, rng: random.Random) -> Language:
    known = copy.copy(language())
    known.groups = np.arange(number) % GROUPS
    known.style = known.drawn_styles(known.groups, rng)
    known.own_facts = [{fact: values[0] for fact, values in known.facts.items()}] * number  # never asked for
    known.activity = np.full(number, 1 / number)
    return known


def _words(text: str) -> list[str]:
    return text.split(" ")
