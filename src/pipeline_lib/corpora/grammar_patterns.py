"""Templates whose slots have fixed lengths, so that the position of every word in the sentence is known."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

from pipeline_lib.corpora.grammar_rules import Phrase, SentenceGrammar, Slot, Template, Topic, article


@dataclass
class Pattern:
    """A template and a length for each of its slots: what is at which 0-based position of the sentence."""

    number: int  # of the template in the grammar
    length: int = 0  # tokens
    fixed: dict[int, str] = field(default_factory=dict)  # position -> token
    articles: list[int] = field(default_factory=list)  # positions of a or an: the next token decides
    spans: dict[str, range] = field(default_factory=dict)  # slot -> its positions

    def choices(self, topic: Topic) -> int:
        """Count the fillings that a topic has for this pattern; 0 where it has no phrase of some length."""
        sizes = {slot: len(self._phrases(topic, slot)) for slot in self.spans}
        if {"old", "thing"} <= sizes.keys() and len(self.spans["old"]) == len(self.spans["thing"]):
            sizes["thing"] -= 1  # they differ
        return math.prod(sizes.values())

    def words(self, topic: Topic) -> list[dict[str, float]]:
        """Return the probability of each token at each position, given the topic and this pattern."""
        found: dict[int, dict[str, float]] = {position: {token: 1.0} for position, token in self.fixed.items()}
        for slot, span in self.spans.items():
            phrases = self._phrases(topic, slot)
            for offset, position in enumerate(span):
                found[position] = _shares(Counter(phrase[offset] for phrase in phrases))
        for position in self.articles:
            found[position] = {}
            for word, share in found[position + 1].items():
                found[position][article(word)] = found[position].get(article(word), 0.0) + share
        return [found[position] for position in range(self.length)]

    def _phrases(self, topic: Topic, slot: str) -> list[Phrase]:
        return [phrase for phrase in topic.phrases[slot] if len(phrase) == len(self.spans[slot])]


def patterns(grammar: SentenceGrammar) -> Iterator[Pattern]:
    """Return the patterns of all templates, for every length that a phrase of any topic has."""
    for number, template in enumerate(grammar.templates):
        lengths = [_lengths(grammar, slot) for slot in template.slots]
        for chosen in product(*lengths):
            yield _pattern(number, template, dict(zip(template.slots, chosen, strict=True)))


def _lengths(grammar: SentenceGrammar, slot: str) -> list[int]:
    return sorted({len(phrase) for topic in grammar.topics for phrase in topic.phrases[slot]})


def _pattern(number: int, template: Template, lengths: dict[str, int]) -> Pattern:
    pattern = Pattern(number)
    for part in template.parts:
        start = pattern.length
        if isinstance(part, Slot):
            pattern.spans[part.name] = range(start, start + lengths[part.name])
            pattern.length += lengths[part.name]
            continue
        if part == "a":
            pattern.articles.append(start)
        else:
            pattern.fixed[start] = part
        pattern.length += 1
    return pattern


def _shares(counts: Counter[str]) -> dict[str, float]:
    return {token: count / counts.total() for token, count in counts.items()}
