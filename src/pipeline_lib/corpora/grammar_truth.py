"""What stands at which place of a generated sentence, exact from the grammar."""

import math
from collections import defaultdict

from pipeline_lib.corpora.grammar_patterns import patterns
from pipeline_lib.corpora.grammar_rules import SentenceGrammar
from pipeline_lib.corpora.positional import END


def positions(grammar: SentenceGrammar) -> list[dict[str, float]]:
    """Return the probability that a token is at a position, for each 0-based position.

    Those of one position add up to the probability that a sentence is that long; `END` is after the last word.
    """
    found: list[dict[str, float]] = []
    for pattern in patterns(grammar):
        found += [defaultdict(float) for _ in range(pattern.length + 1 - len(found))]
        for topic in grammar.topics:
            share = pattern.choices(topic) * math.exp(grammar.log_p(topic, grammar.templates[pattern.number]))
            for counts, words in zip(found, [*pattern.words(topic), {END: 1.0}], strict=False):
                for token, probability in words.items():
                    counts[token] += share * probability
    return found
