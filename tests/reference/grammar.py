"""The entropy of the generated sentences, nats per sentence: no model has a lower expected loss."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from pipeline_lib.corpora.grammar_parser import Parse, Parser
from pipeline_lib.corpora.grammar_patterns import patterns
from pipeline_lib.corpora.grammar_rules import SentenceGrammar


@dataclass(frozen=True)
class Floor:
    """The mean of -log p over a sample of sentences: the loss on this sample of a model that knows the grammar."""

    mean: float
    standard_error: float  # of the mean as an estimate of the entropy
    n: int


def floor(parser: Parser, sentences: Iterable[Sequence[str]]) -> Floor:
    """Return the floor of two or more sentences; infinite where one of them is not of the grammar."""
    losses = [-parser.log_p(tokens) for tokens in sentences]
    if math.inf in losses:
        return Floor(math.inf, math.inf, len(losses))
    return Floor(statistics.fmean(losses), statistics.stdev(losses) / math.sqrt(len(losses)), len(losses))


def entropy(grammar: SentenceGrammar) -> float:
    """Return the expected -log p of a sentence.

    This is the entropy of a derivation (topic, template, filling), which has a closed form, less what a sentence leaves
    open of its derivation. Only ambiguous sentences leave something open.
    """
    losses = [-grammar.log_p(topic, template) for topic in grammar.topics for template in grammar.templates]
    return statistics.fmean(losses) - math.fsum(map(_left_open, ambiguous(grammar).values()))


def ambiguous(grammar: SentenceGrammar) -> dict[tuple[str, ...], list[Parse]]:
    """Return every sentence that has several parses, with these.

    Two derivations can give one sentence only if their patterns share a word at every position, so that all sentences
    are searched of such pairs alone.
    """
    parser = Parser(grammar)
    found: dict[tuple[str, ...], list[Parse]] = {}
    for topic, number in _overlapping(grammar):
        template = grammar.templates[number]
        for filling in grammar.topics[topic].fillings(template):
            tokens = tuple(template.fill(filling))
            if len(parses := parser.parses(tokens)) > 1:
                found[tokens] = parses
    return found


def _overlapping(grammar: SentenceGrammar) -> list[tuple[int, int]]:
    """Return topic and template numbers of derivations that another one may share a sentence with."""
    candidates = [
        (topic, pattern.number, [set(words) for words in pattern.words(grammar.topics[topic])])
        for pattern in patterns(grammar)
        for topic in range(len(grammar.topics))
    ]
    overlapping = set()
    for (topic, template, words), (other_topic, other_template, other_words) in combinations(candidates, 2):
        same_length = len(words) == len(other_words)
        if same_length and not any(map(set.isdisjoint, words, other_words)):
            overlapping |= {(topic, template), (other_topic, other_template)}
    return sorted(overlapping)


def _left_open(parses: list[Parse]) -> float:
    """Return p(sentence) times the entropy of its derivation given the sentence."""
    total = math.fsum(math.exp(parse.log_p) for parse in parses)
    return -math.fsum(math.exp(parse.log_p) * (parse.log_p - math.log(total)) for parse in parses)
