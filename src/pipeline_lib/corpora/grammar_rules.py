"""The grammar of the generated sentences: topics, templates, and the words that fill the slots of a template.

A sentence is a topic, a template of one of eight moods, and a word or phrase for each slot of the template. Each
choice is uniform and independent of the others, except that the two things of a sentence (slots ``old`` and ``thing``)
differ.

Sentences are tokens in the form that `text.tokenise` gives: lower-cased, punctuation and clitics apart, and ``an``
instead of ``a`` before a vowel. Tokenising them again changes nothing, so the probabilities of the grammar are those of
the tokens that a model is trained on.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from itertools import chain, pairwise, product
from string import Formatter
from typing import Any

import pyarrow as pa

from pipeline_lib.config.grammar import Grammar
from pipeline_lib.text.tokenisers.english import tokenise_array

Phrase = tuple[str, ...]  # tokens that fill a slot: ("soup",) or ("over", "the", "weekend")
Filling = Mapping[str, Phrase]  # slot -> what fills it

OTHER_THING = {"old": "thing", "thing": "old"}  # slots that differ within a sentence

_LISTS = [  # slot, and the list in templates.json that fills it
    ("old", "things"),
    ("thing", "things"),
    ("action", "actions"),
    ("quality", "qualities"),
    ("place", "places"),
    ("person", "people"),
    ("time", "times"),
]
_BEFORE_AN = re.compile(r"[aeio]|u(?!s)")  # an engine, an umbrella, but a used one


@dataclass(frozen=True)
class Slot:
    """A place in a template; ``name`` says what fills it: old, thing, action, quality, place, person or time."""

    name: str


@dataclass(frozen=True)
class Template:
    """A sentence with slots, and the 0-based mood that it expresses."""

    mood: int
    parts: tuple[str | Slot, ...]

    @cached_property
    def slots(self) -> tuple[str, ...]:
        """Names of the slots, in the order of the sentence."""
        return tuple(part.name for part in self.parts if isinstance(part, Slot))

    def fill(self, filling: Filling) -> list[str]:
        """Return the tokens of the sentence, each article in the form that its next word asks for."""
        tokens = [token for part in self.parts for token in (filling[part.name] if isinstance(part, Slot) else (part,))]
        return [article(word) if token == "a" else token for token, word in pairwise([*tokens, ""])]


@dataclass(frozen=True)
class Topic:
    """A subject and the phrases that it offers for each slot."""

    name: str
    phrases: Mapping[str, tuple[Phrase, ...]]

    def choices(self, template: Template) -> int:
        """Count the fillings of a template."""
        differ = {"old", "thing"} <= set(template.slots)
        sizes = [len(self.phrases[slot]) - (differ and slot == "thing") for slot in template.slots]
        return math.prod(sizes)

    def fillings(self, template: Template) -> Iterator[Filling]:
        """Return every filling of a template."""
        for phrases in product(*(self.phrases[slot] for slot in template.slots)):
            filling = dict(zip(template.slots, phrases, strict=True))
            if "old" not in filling or filling["old"] != filling.get("thing"):
                yield filling


@dataclass(frozen=True)
class SentenceGrammar:
    """Topics and templates, each drawn uniformly."""

    topics: tuple[Topic, ...]
    templates: tuple[Template, ...]

    def log_p(self, topic: Topic, template: Template) -> float:
        """Return the log-probability, in nats, of any one filling of a template in a topic."""
        return -math.log(len(self.topics) * len(self.templates) * topic.choices(template))


def grammar_of(settings: Grammar) -> SentenceGrammar:
    """Build the grammar of some settings from ``templates.json``; generic replies and openers are not part of it."""
    data = json.loads(resources.files(__package__).joinpath("templates.json").read_text(encoding="utf-8"))
    offered = {name: words | {"times": data["times"]} for name, words in data["topics"].items()}
    tokens = _tokenise(chain.from_iterable(chain.from_iterable(words.values()) for words in offered.values()))
    topics = [
        Topic(
            name, {slot: tuple(tokens[text] for text in words[key][: settings.words_per_slot]) for slot, key in _LISTS}
        )
        for name, words in list(offered.items())[: settings.topics]
    ]
    return SentenceGrammar(tuple(topics), templates_of([group["templates"] for group in data["groups"]]))


def templates_of(moods: Sequence[Sequence[str]]) -> tuple[Template, ...]:
    """Parse the templates of each mood; a slot is written ``{name}``, and ``{Name}`` where it begins the sentence."""
    pieces = [(mood, list(Formatter().parse(text))) for mood, texts in enumerate(moods) for text in texts]
    tokens = _tokenise(literal for _, parsed in pieces for literal, *_ in parsed)
    return tuple(Template(mood, tuple(_parts(parsed, tokens))) for mood, parsed in pieces)


def article(word: str) -> str:
    """Return the indefinite article before a word."""
    return "an" if _BEFORE_AN.match(word) else "a"


def _parts(parsed: list[tuple[str, str | None, Any, Any]], tokens: dict[str, Phrase]) -> Iterator[str | Slot]:
    for literal, slot, _, _ in parsed:
        yield from tokens[literal]
        if slot:
            yield Slot(slot.lower())


def _tokenise(texts: Iterable[str]) -> dict[str, Phrase]:
    """Return the tokens of each text; one call for many texts, because a call costs milliseconds."""
    known = list(dict.fromkeys(texts))
    tokenised = tokenise_array(pa.array(known, pa.string())).to_pylist()
    return {text: tuple(tokens.split()) for text, tokens in zip(known, tokenised, strict=True)}
