"""Pairs of generated sentences about the same things: paraphrases, or two different intentions."""

import random
from collections.abc import Iterator
from typing import NamedTuple

from pipeline_lib.corpora.drawing import pick
from pipeline_lib.corpora.grammar_rules import OTHER_THING, Phrase, SentenceGrammar, Template, Topic


class SentencePair(NamedTuple):
    """Two sentences of tokens joined by one space."""

    first: str
    second: str
    label: int  # 1: of one mood, and so of one meaning; 0: of two moods


def pairs(grammar: SentenceGrammar, count: int, seed: int) -> Iterator[SentencePair]:
    """Draw pairs of sentences from different templates, half of them of one mood.

    Both sentences of a pair have the same topic, and a slot that is in both is filled alike. What they mean thus
    differs by the mood alone, of which the words that they share tell little.
    """
    rng = random.Random(seed)
    for number in range(count):
        topic, template = pick(rng, grammar.topics), pick(rng, grammar.templates)
        label = (number + 1) % 2
        others = [
            other for other in grammar.templates if other != template and (other.mood == template.mood) == bool(label)
        ]
        yield SentencePair(*_filled(rng, topic, template, pick(rng, others)), label)


def _filled(rng: random.Random, topic: Topic, *templates: Template) -> tuple[str, str]:
    filling: dict[str, Phrase] = {}
    for slot in dict.fromkeys(slot for template in templates for slot in template.slots):
        taken = filling.get(OTHER_THING.get(slot, ""))
        filling[slot] = pick(rng, [phrase for phrase in topic.phrases[slot] if phrase != taken])
    first, second = (" ".join(template.fill(filling)) for template in templates)
    return first, second
