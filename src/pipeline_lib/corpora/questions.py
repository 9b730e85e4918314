"""The language of the generated paraphrases: questions whose meaning can be told from their words, exactly.

A meaning is an intent (how much something costs, who can do it, ...), a topic, and a word or phrase for each slot of
the intent. Its main slot, ``thing``, is the keyword. An intent has six frames, templates that say the same; so each
meaning can be said in six ways. Questions are tokens in the form that the tokeniser `english` gives.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from pipeline_lib.config.grammar import Grammar
from pipeline_lib.corpora.grammar_parser import Parser
from pipeline_lib.corpora.grammar_rules import Phrase, SentenceGrammar, Template, Topic, grammar_of, templates_of

MOST_TOPICS = 16  # that templates.json has


@dataclass(frozen=True)
class Meaning:
    """What a question asks: its 0-based intent, and what fills each slot, by the name of the slot."""

    intent: int
    filling: frozenset[tuple[str, Phrase]]

    @property
    def keyword(self) -> Phrase:
        """The thing that is asked about."""
        return dict(self.filling)["thing"]


@dataclass(frozen=True)
class Reading:
    """One way to understand a question: its meaning, and the number of its frame among all templates."""

    meaning: Meaning
    frame: int


class Language:
    """All questions about some topics.

    Args:
        topics: the first so many of templates.json.
        words_per_slot: the first so many words of each slot; None: all.
    """

    def __init__(self, topics: int = MOST_TOPICS, words_per_slot: int | None = None) -> None:
        text = resources.files(__package__).joinpath("questions.json").read_text(encoding="utf-8")
        self.topics: Sequence[Topic] = grammar_of(Grammar(topics=topics, words_per_slot=words_per_slot)).topics
        self.templates = templates_of(json.loads(text))
        self._number = {id(template): number for number, template in enumerate(self.templates)}
        self._parser = Parser(SentenceGrammar(tuple(self.topics), self.templates))

    def frames(self, intent: int) -> list[Template]:
        """List the templates that express an intent."""
        return [template for template in self.templates if template.mood == intent]

    @property
    def intents(self) -> int:
        return len({template.mood for template in self.templates})

    @property
    def meanings(self) -> int:
        """Count all meanings; no two topics have a thing in common."""
        return sum(topic.choices(self.frames(intent)[0]) for topic in self.topics for intent in range(self.intents))

    def readings(self, question: str) -> list[Reading]:
        """Return every way to understand a question, tokens joined by spaces; none if it is not of the language."""
        return [
            Reading(Meaning(parse.template.mood, frozenset(parse.filling.items())), self._number[id(parse.template)])
            for parse in self._parser.parses(question.split(" "))
        ]


@cache
def whole_language() -> Language:
    """Build the language of all topics and words, which has that of any settings in it."""
    return Language()
