"""The language of the generated dialogues: what an utterance means, and how probable it is once that is known.

Utterances are tokens in the form that the tokeniser `english` gives, joined by spaces.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Literal

import pyarrow as pa

from pipeline_lib.config.corpora import Synthetic
from pipeline_lib.config.grammar import Grammar
from pipeline_lib.corpora.grammar_parser import Parser
from pipeline_lib.corpora.grammar_rules import Phrase, SentenceGrammar, grammar_of, templates_of
from pipeline_lib.text.tokenisers.english import tokenise_array

# an opening; a sentence of the group that the thing it took up determines; one of another group; a generic reply
Kind = Literal["opening", "determined", "free", "generic"]


@dataclass(frozen=True)
class Subject:
    """The thing that the next turn takes up, and the group that it determines."""

    topic: str
    thing: Phrase
    group: int  # 0-based


@dataclass(frozen=True)
class Meaning:
    """One way to understand a turn that names a thing."""

    subject: Subject
    kind: Kind
    p: float  # given the text


class Language:
    """The topics, templates and generic replies of a generated corpus.

    Attributes:
        groups: number of groups.
        generic: generic reply -> group that has it -> p(reply | generic reply of the group).
    """

    def __init__(self, settings: Synthetic) -> None:
        data = json.loads(resources.files(__package__).joinpath("templates.json").read_text(encoding="utf-8"))
        groups = data["groups"][: settings.groups]
        self.groups = len(groups)
        self._topics = grammar_of(Grammar(topics=settings.topics, words_per_slot=None)).topics
        self._opening = self.groups  # openings are the mood after those of the groups
        templates = templates_of([*(group["templates"] for group in groups), data["openers"]])
        self._templates = Counter(template.mood for template in templates)
        self._parser = Parser(SentenceGrammar(self._topics, templates))
        self.generic: Mapping[str, Mapping[int, float]] = _generic([group["generic"] for group in groups])

    @cached_property
    def subjects(self) -> list[Subject]:
        """All things of all topics."""
        return [
            Subject(topic.name, thing, number % self.groups)
            for topic in self._topics
            for number, thing in enumerate(topic.phrases["thing"])
        ]

    def meanings(self, turn: str) -> list[Meaning]:
        """Return every way to understand a turn; none for a generic reply, or if it is not of this language."""
        parses = self._parser.parses(turn.split(" "))
        total = math.fsum(math.exp(parse.log_p) for parse in parses)
        found = []
        for parse in parses:
            taken_up = parse.filling.get("old")
            mood, name = parse.template.mood, parse.topic.name
            kind: Kind = "free"
            if taken_up is None:
                kind = "opening"
            elif self._subject[name, taken_up].group == mood:
                kind = "determined"
            subject = self._subject[name, parse.filling["thing"]]
            found.append(Meaning(subject, kind, math.exp(parse.log_p) / total))
        return found

    def p_sentence(self, turn: str) -> Mapping[tuple[Subject, int], float]:
        """Return p(turn | new sentence of a group that takes up a subject), by the subjects and groups that can."""
        found: defaultdict[tuple[Subject, int], float] = defaultdict(float)
        for parse in self._parser.parses(turn.split(" ")):
            mood, topic = parse.template.mood, parse.topic
            if mood != self._opening:
                fillings = topic.choices(parse.template) // len(topic.phrases["old"])
                found[self._subject[topic.name, parse.filling["old"]], mood] += 1 / (self._templates[mood] * fillings)
        return found

    @cached_property
    def _subject(self) -> dict[tuple[str, Phrase], Subject]:
        return {(subject.topic, subject.thing): subject for subject in self.subjects}


def _generic(replies: list[list[str]]) -> Mapping[str, Mapping[int, float]]:
    """Return the probability of each generic reply within each group that has it."""
    found: defaultdict[str, defaultdict[int, float]] = defaultdict(lambda: defaultdict(float))
    for group, texts in enumerate(replies):
        for reply in tokenise_array(pa.array(texts)).to_pylist():
            found[reply][group] += 1 / len(texts)
    return found
