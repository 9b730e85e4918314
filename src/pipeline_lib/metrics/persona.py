"""How well responses show who speaks, told exactly on the generated corpus `personas`.

A user's style is known as p(marker | user, slot), so the markers of a response alone say how likely each user is to
have written it. Responses that are not grammatical count for what they show; a response that shows nothing is as good
as chance. On other corpora these metrics are undefined.
"""

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib.corpora.persona_language import GROUPS, USERS, language
from pipeline_lib.metrics.base import MeanOfSome, Metric, Score
from pipeline_lib.metrics.items import Items
from pipeline_lib.text.turns import last_turn


class Personal:
    """Responses of the corpus `personas`, and what their markers show.

    Args:
        user: (B,) int64, the number of the user who responds.
    """

    def __init__(self, items: Items, user: NDArray[np.int64]) -> None:
        self._items, self.user = items, user

    @classmethod
    def of(cls, items: Items) -> "Personal | None":
        """Return the responses if they are to contexts of the corpus, whose words are the language's; else None."""
        if items.label is None or items.label.min() < 0 or items.label.max() >= USERS:
            return None
        first = cls(items, items.label)
        return first if language().parse(first.last_turn(0)) is not None else None

    def last_turn(self, row: int) -> str:
        """Return the utterance that is answered."""
        return last_turn(" ".join(_words(self._items, row)))

    @cached_property
    def log_p(self) -> NDArray[np.float64]:
        """Return log p(markers of each response | user), nats, (B, U)."""
        known = [language().marker.get(word) for word in self._items.vocabulary.to_pylist()]
        slots = np.log(language().style)
        nats = np.zeros((len(known), USERS))
        for token, marker in enumerate(known):
            if marker is not None:
                nats[token] = slots[:, marker[0], marker[1]]
        responses = self._items.responses
        total = np.concatenate([np.zeros((1, USERS)), nats[responses.ids].cumsum(0)])
        return total[responses.offsets[1:]] - total[responses.offsets[:-1]]

    @cached_property
    def texts(self) -> Sequence[str]:
        """Return (B,) responses."""
        words, responses = self._items.vocabulary.to_pylist(), self._items.responses
        return [
            " ".join(words[token] for token in responses.ids[start:end])
            for start, end in zip(responses.offsets[:-1], responses.offsets[1:], strict=True)
        ]


def _words(items: Items, row: int) -> list[str]:
    ids = items.contexts.ids[items.contexts.offsets[row] : items.contexts.offsets[row + 1]]
    return pc.take(items.vocabulary, ids).to_pylist()


class _OfPersonas(Metric):
    better = "higher"

    def __call__(self, items: Items) -> Score:
        personal = Personal.of(items)
        if personal is None:
            return Score(None, None, items.n_examples)
        return Score.of_items(items, self.values(personal, items))

    @abstractmethod
    def values(self, personal: Personal, items: Items) -> NDArray[np.float64]:
        """Give (B,), one for each response."""


class Accuracy(_OfPersonas):
    """1 where the markers are likeliest under the user who responds; ties are shared."""

    name = "persona-accuracy"
    signature = "persona-accuracy|users:60|ties:shared|none shown:chance|v:1"
    meaning = "Share of responses whose style is likeliest to be the right user's (chance: 1/60)"

    def values(self, personal: Personal, items: Items) -> NDArray[np.float64]:
        return _shared(personal.log_p, personal.user)


class GroupAccuracy(_OfPersonas):
    """1 where the markers are likeliest under the group of the user who responds, each user of it equally likely."""

    name = "persona-group"
    signature = "persona-group|groups:3|ties:shared|none shown:chance|v:1"
    meaning = "Share of responses whose style is likeliest to be that of the right user's group (chance: 1/3)"

    def values(self, personal: Personal, items: Items) -> NDArray[np.float64]:
        groups = language().groups
        of_group = [np.logaddexp.reduce(personal.log_p[:, groups == group], axis=1) for group in range(GROUPS)]
        sizes = np.bincount(groups, minlength=GROUPS)
        return _shared(np.stack(of_group, 1) - np.log(sizes), groups[personal.user])


class Nats(_OfPersonas):
    """How much likelier the markers are under the user who responds than under users on average."""

    name = "persona-nats"
    fewer_digits = 1
    signature = "persona-nats|against:mean likelihood of 60 users|v:1"
    meaning = "Nats by which a response tells its user from all users (at most log 60 = 4.09)"

    def values(self, personal: Personal, items: Items) -> NDArray[np.float64]:
        own = personal.log_p[np.arange(len(items)), personal.user]
        return own - (np.logaddexp.reduce(personal.log_p, axis=1) - np.log(USERS))


class Consistency(MeanOfSome):
    """How often two responses to one context are likeliest under the same user; ties are shared.

    A mean over the contexts with at least two responses.
    """

    name = "persona-consistency"
    signature = "persona-consistency|pairs of responses to a context|same likeliest user|ties:shared|v:1"
    meaning = "Share of pairs of responses to one context whose style is likeliest to be the same user's"
    caution = "persona-consistency: undefined for a system with one response to each context"
    better = "higher"

    def parts(self, items: Items) -> NDArray[np.float64] | None:
        """Give (n, 2) float64: the share of each example's pairs, and 1; both 0 where there is no pair."""
        personal, example = Personal.of(items), items.example
        if personal is None or example is None or (number := np.bincount(example)).max() < 2:
            return None
        log_p = personal.log_p
        best = np.isclose(log_p, log_p.max(1, keepdims=True), rtol=0, atol=1e-9)
        shares = best / best.sum(1, keepdims=True)
        total, own = np.zeros((items.n_examples, USERS)), np.zeros(items.n_examples)
        np.add.at(total, example, shares)
        np.add.at(own, example, np.square(shares).sum(1))
        pairs = number * (number - 1)
        alike = np.square(total).sum(1) - own
        return np.stack([np.divide(alike, pairs, out=np.zeros_like(alike), where=pairs > 0), pairs > 0], 1)


class Style(Metric):
    """Total variation between a user's markers in the responses and the user's own distribution, by slot.

    Averaged over users and slots with weights of how many markers there are. A finite sample never has 0: the row of
    the references shows what as many draws from the true distribution give.
    """

    name = "persona-style"
    better = "lower"
    signature = "persona-style|total variation by user and slot|weights:markers|v:1"
    meaning = "Total variation between the markers that a user's responses show and the user's own style"

    def __call__(self, items: Items) -> Score:
        personal = Personal.of(items)
        if personal is None:
            return Score(None, None, items.n_examples)
        style = language().style
        counts, responder = np.zeros_like(style), personal.user[items.responses.text]
        for token, word in enumerate(items.vocabulary.to_pylist()):
            if (marker := language().marker.get(word)) is not None:
                users = responder[items.responses.ids == token]
                counts[:, marker[0], marker[1]] += np.bincount(users, minlength=USERS)
        shown = counts.sum(-1)
        shares = np.divide(counts, shown[..., None], out=np.zeros_like(counts), where=shown[..., None] > 0)
        distance = np.abs(shares - style).sum(-1) / 2
        value = float((distance * shown).sum() / shown.sum()) if shown.any() else 1.0
        return Score(value, None, items.n_examples)


class Facts(MeanOfSome):
    """Of the contexts that ask for a fact, the share of responses that name the user's value and no other."""

    name = "persona-facts"
    better = "higher"
    signature = "persona-facts|of:contexts that ask|v:1"
    meaning = "Share of answers to questions for a fact that name the user's own value and no other"

    def parts(self, items: Items) -> np.ndarray | None:
        """Give (n, 2) float64: right answers, averaged over an example's responses, and questions."""
        personal = Personal.of(items)
        if personal is None:
            return None
        found = np.zeros((len(items), 2))
        for row, text in enumerate(personal.texts):
            said = language().parse(personal.last_turn(row))
            if said is not None and said.asks is not None:
                values = set(language().facts[said.asks]).intersection(text.split(" "))
                found[row] = values == {language().own_facts[personal.user[row]][said.asks]}, 1
        return items.by_example(found)


class Relevance(_OfPersonas):
    """1 where the response names the thing that the utterance before it hands on."""

    name = "persona-relevance"
    signature = "persona-relevance|names the thing that is handed on|v:1"
    meaning = "Share of responses that take up what the last utterance speaks of"

    def values(self, personal: Personal, items: Items) -> NDArray[np.float64]:
        found = np.zeros(len(items))
        for row, text in enumerate(personal.texts):
            said = language().parse(personal.last_turn(row))
            found[row] = said is not None and said.thing in text.split(" ")
        return found


class Grammatical(_OfPersonas):
    """1 where the response is a sentence of the language."""

    name = "persona-grammar"
    signature = "persona-grammar|has a parse|v:1"
    meaning = "Share of responses that are sentences of the generated language"

    def values(self, personal: Personal, items: Items) -> NDArray[np.float64]:
        return np.array([language().parse(text) is not None for text in personal.texts], np.float64)


def _shared(values: NDArray[np.float64], right: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (B,) 1 where (B, N) ``values`` are greatest at ``right``, shared among those that tie, else 0."""
    best = np.isclose(values, values.max(1, keepdims=True), rtol=0, atol=1e-9)
    return best[np.arange(len(right)), right] / best.sum(1)
