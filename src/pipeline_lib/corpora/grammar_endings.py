"""The exact distribution of the last words of a generated sentence, given its first words and its length."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import product

from pipeline_lib.corpora.grammar_patterns import Pattern, patterns
from pipeline_lib.corpora.grammar_rules import OTHER_THING, Filling, Phrase, SentenceGrammar, Topic


class Endings:
    """Completes prefixes of sentences, by the patterns that agree with them."""

    def __init__(self, grammar: SentenceGrammar) -> None:
        self._grammar = grammar
        self._by_length: dict[int, list[Pattern]] = defaultdict(list)
        for pattern in patterns(grammar):
            self._by_length[pattern.length].append(pattern)
        self._found: dict[tuple[Phrase, int], dict[Phrase, float]] = {}

    def given(self, prefix: Sequence[str], length: int) -> dict[Phrase, float]:
        """Return p(ending | prefix, length) of every possible ending; nothing if no sentence begins so.

        Args:
            prefix: the first words, fewer than ``length``.
            length: words of the whole sentence.
        """
        key = (tuple(prefix), length)
        if key not in self._found:
            self._found[key] = self._computed(*key)
        return self._found[key]

    def _computed(self, prefix: Phrase, length: int) -> dict[Phrase, float]:
        joint: dict[Phrase, list[float]] = defaultdict(list)
        for pattern in self._by_length.get(length, ()):
            if any(prefix[place] != word for place, word in pattern.fixed.items() if place < len(prefix)):
                continue
            template = self._grammar.templates[pattern.number]
            for topic in self._grammar.topics:
                probability = math.exp(self._grammar.log_p(topic, template))
                for filling in _fillings(pattern, topic, prefix):
                    words = template.fill(filling)
                    if tuple(words[: len(prefix)]) == prefix:  # an article may ask for another word
                        joint[tuple(words[len(prefix) :])].append(probability)
        sums = {ending: math.fsum(parts) for ending, parts in joint.items()}
        total = math.fsum(sums.values())
        return {ending: probability / total for ending, probability in sums.items()}


def _fillings(pattern: Pattern, topic: Topic, prefix: Phrase) -> Iterator[Filling]:
    """Return the fillings of a pattern whose phrases agree with the prefix as far as it goes."""
    offered: list[list[Phrase]] = []
    for slot, span in pattern.spans.items():
        known = prefix[span.start : span.stop]
        phrases = topic.phrases[slot]
        fitting = [each for each in phrases if len(each) == len(span) and each[: len(known)] == known]
        if not fitting:
            return
        offered.append(fitting)
    for chosen in product(*offered):
        filling = dict(zip(pattern.spans, chosen, strict=True))
        if all(phrase != filling.get(OTHER_THING.get(slot, "")) for slot, phrase in filling.items()):
            yield filling
