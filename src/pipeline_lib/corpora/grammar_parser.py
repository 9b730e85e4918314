"""Exact probability, topic and mood of a sentence of the grammar."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline_lib.corpora.grammar_patterns import Pattern, patterns
from pipeline_lib.corpora.grammar_rules import OTHER_THING, Filling, Phrase, SentenceGrammar, Template, Topic, article


@dataclass(frozen=True)
class Parse:
    """One way to derive a sentence; ``log_p`` is its log-probability in nats."""

    topic: Topic
    template: Template
    filling: Filling
    log_p: float


class Parser:
    """Finds every parse of a sentence, by hash tables of the words that templates fix; microseconds a sentence."""

    def __init__(self, grammar: SentenceGrammar) -> None:
        self._grammar = grammar
        self._log_p = [[grammar.log_p(topic, template) for template in grammar.templates] for topic in grammar.topics]
        self._topics = _topics(grammar)
        # length of the sentence -> positions of fixed words -> those words -> patterns
        self._patterns: dict[int, dict[Sequence[int], dict[Phrase, list[Pattern]]]] = {}
        for pattern in patterns(grammar):
            by_words = self._patterns.setdefault(pattern.length, {}).setdefault(tuple(pattern.fixed), {})
            by_words.setdefault(tuple(pattern.fixed.values()), []).append(pattern)

    def parses(self, tokens: Sequence[str]) -> list[Parse]:
        """Return every parse of a sentence; none if it is not a sentence of the grammar."""
        return [
            parse
            for positions, by_words in self._patterns.get(len(tokens), {}).items()
            for pattern in by_words.get(tuple([tokens[position] for position in positions]), ())
            for parse in self._parses_by(pattern, tokens)
        ]

    def log_p(self, tokens: Sequence[str]) -> float:
        """Return the log-probability of a sentence in nats, over all its parses; minus infinity if it has none."""
        parses = self.parses(tokens)
        if len(parses) == 1:
            return parses[0].log_p
        return math.log(math.fsum(math.exp(parse.log_p) for parse in parses)) if parses else -math.inf

    def grammatical(self, tokens: Sequence[str]) -> bool:
        """Tell whether the grammar can give this sentence."""
        return bool(self.parses(tokens))

    def topics(self, tokens: Sequence[str]) -> set[str]:
        """Return the names of the topics that the sentence can come from."""
        return {parse.topic.name for parse in self.parses(tokens)}

    def moods(self, tokens: Sequence[str]) -> set[int]:
        """Return the 0-based moods that the sentence can express."""
        return {parse.template.mood for parse in self.parses(tokens)}

    def _parses_by(self, pattern: Pattern, tokens: Sequence[str]) -> Iterator[Parse]:
        """Return the parses by a pattern whose fixed words are those of the sentence."""
        if any(tokens[position] != article(tokens[position + 1]) for position in pattern.articles):
            return
        filling = {slot: tuple(tokens[span.start : span.stop]) for slot, span in pattern.spans.items()}
        if any(phrase == filling.get(OTHER_THING.get(slot, "")) for slot, phrase in filling.items()):
            return
        fitting = [self._topics.get(entry, frozenset()) for entry in filling.items()]
        for topic in sorted(frozenset(range(len(self._grammar.topics))).intersection(*fitting)):
            template = self._grammar.templates[pattern.number]
            yield Parse(self._grammar.topics[topic], template, filling, self._log_p[topic][pattern.number])


def _topics(grammar: SentenceGrammar) -> dict[tuple[str, Phrase], frozenset[int]]:
    """Return the numbers of the topics that offer a phrase for a slot."""
    topics: dict[tuple[str, Phrase], frozenset[int]] = {}
    for number, topic in enumerate(grammar.topics):
        for slot, phrases in topic.phrases.items():
            for phrase in phrases:
                topics[slot, phrase] = topics.get((slot, phrase), frozenset()) | {number}
    return topics
