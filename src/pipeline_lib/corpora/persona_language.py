"""The language of the generated users: templates, markers of style, facts, and who prefers what.

An utterance has five markers of style, each one word that occurs nowhere else. A user prefers one of four variants in
each of eight slots, and uses it nine times in ten. Three groups of users share preferences in part. Sentences are
tokens joined by spaces and have one parse at most.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.corpora.drawing import pick

USERS, GROUPS = 60, 3
PREFERRED = 0.9  # probability of the preferred variant; the other three share the rest
FOLLOWED = 0.5  # probability that a user prefers what the group does
ASKED = 0.15  # probability of a question, where none is to be answered
_SEED = 7  # of the users, who are the same in every corpus

# a template that answers the question, one that asks it, the first utterance of a dialogue, and all others
OPENING, QUESTION, ANSWER = "opening", "question", "answer"
_CONTENT = ("old", "new", "quality", "fact", "value")


@dataclass(frozen=True)
class Template:
    """A sentence with gaps: ``{opener}`` and other slots of style, ``{old}``, ``{new}`` and other content."""

    kind: str  # opening, question, answer, or the number of a statement
    tokens: tuple[str, ...]

    @property
    def gaps(self) -> list[str]:
        """Names of the gaps, in order."""
        return [token[1:-1] for token in self.tokens if token.startswith("{")]

    def fill(self, filling: Mapping[str, str]) -> str:
        """Return the sentence with every gap filled."""
        return " ".join(filling[token[1:-1]] if token.startswith("{") else token for token in self.tokens)


@dataclass(frozen=True)
class Utterance:
    """A parsed sentence.

    Attributes:
        filling: the word of each gap.
        thing: what the next utterance takes up.
        asks: the fact that it asks for; None: none.
    """

    template: Template
    filling: Mapping[str, str]

    @property
    def thing(self) -> str:
        return self.filling.get("new") or self.filling["old"]

    @property
    def asks(self) -> str | None:
        return self.filling["fact"] if self.template.kind == QUESTION else None


class Language:
    """Words and users.

    Attributes:
        slots: slot of style -> its variants.
        facts: fact -> its values.
        of_groups: for each group, the variant of each slot that it prefers.
        style: (U, S, V) float64, p(variant | user, slot).
        groups: (U,) int64, the group of each user.
        own_facts: for each user, fact -> value.
        activity: (U,) float64, p(user), proportional to rank to the power of -1/2.
    """

    def __init__(self) -> None:
        data = json.loads(resources.files(__package__).joinpath("personas.json").read_text(encoding="utf-8"))
        self.slots: dict[str, list[str]] = data["slots"]
        self.facts: dict[str, list[str]] = data["facts"]
        self.things: list[str] = data["things"]
        self.qualities: list[str] = data["qualities"]
        named = {kind: data[kind] for kind in (OPENING, QUESTION, ANSWER)}
        named |= {str(number): text for number, text in enumerate(data["statements"])}
        self.templates = {kind: Template(kind, tuple(text.split())) for kind, text in named.items()}
        self.statements = [self.templates[str(number)] for number in range(len(data["statements"]))]
        self.marker = {
            word: (slot, variant)
            for slot, words in enumerate(self.slots.values())
            for variant, word in enumerate(words)
        }
        rng = random.Random(_SEED)
        self.groups = np.arange(USERS) % GROUPS
        variants = len(next(iter(self.slots.values())))
        self.of_groups = [[int(rng.random() * variants) for _ in self.slots] for _ in range(GROUPS)]
        self.style = self.drawn_styles(self.groups, rng)
        self.own_facts = [{fact: pick(rng, values) for fact, values in self.facts.items()} for _ in range(USERS)]
        weights = np.arange(1, USERS + 1) ** -0.5
        self.activity: NDArray[np.float64] = weights / weights.sum()
        self._allowed = self._words_of_gaps()

    def drawn_styles(self, groups: NDArray[np.int64], rng: random.Random) -> NDArray[np.float64]:
        """Draw p(variant | user, slot) of users (U,) of these groups, (U, S, V)."""
        variants = len(next(iter(self.slots.values())))
        style = np.full((len(groups), len(self.slots), variants), (1 - PREFERRED) / (variants - 1))
        for user, group in enumerate(groups):
            for slot in range(len(self.slots)):
                follows, own = rng.random() < FOLLOWED, int(rng.random() * variants)
                style[user, slot, self.of_groups[group][slot] if follows else own] = PREFERRED
        return style

    def _words_of_gaps(self) -> dict[str, frozenset[str]]:
        content: dict[str, Any] = {"old": self.things, "new": self.things, "quality": self.qualities}
        content |= {"fact": self.facts, "value": [value for values in self.facts.values() for value in values]}
        return {gap: frozenset(words) for gap, words in (self.slots | content).items()}

    def parse(self, text: str) -> Utterance | None:
        """Return the only way to understand a sentence; None if it is not of this language."""
        tokens = text.split(" ")
        for template in self.templates.values():
            filling = self._filling(template, tokens)
            if filling is not None:
                return Utterance(template, filling)
        return None

    def _filling(self, template: Template, tokens: Sequence[str]) -> dict[str, str] | None:
        if len(template.tokens) != len(tokens):
            return None
        filling: dict[str, str] = {}
        for pattern, token in zip(template.tokens, tokens, strict=True):
            if not pattern.startswith("{"):
                if pattern != token:
                    return None
            elif token in self._allowed[pattern[1:-1]]:
                filling[pattern[1:-1]] = token
            else:
                return None
        known = "value" not in filling or filling["value"] in self.facts[filling["fact"]]
        return filling if known and filling.get("old") != filling.get("new") else None

    def shown(self, tokens: Sequence[str]) -> NDArray[np.float64]:
        """Return log p(markers among ``tokens`` | user) of every user, nats, (U,); zeros where there are none."""
        found = np.array([self.marker[token] for token in tokens if token in self.marker], np.int64).reshape(-1, 2)
        return np.log(self.style[:, found[:, 0], found[:, 1]]).sum(1)


@cache
def language() -> Language:
    """Return the language, built once."""
    return Language()
