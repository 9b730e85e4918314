"""The least losses of language models without memory: one that knows only the position, and one not even that.

The former is the entropy of the words at each position. Losses are nats a sentence.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pipeline_lib.corpora.positional import END, Positions


def count_positions(sentences: Iterable[Sequence[str]]) -> list[Counter[str]]:
    """Count the tokens at each position of some sentences, `END` included."""
    positions: list[Counter[str]] = []
    for tokens in sentences:
        positions += [Counter() for _ in range(len(tokens) + 1 - len(positions))]
        for counts, token in zip(positions, [*tokens, END], strict=False):
            counts[token] += 1
    return positions


def without_end(positions: Positions) -> Positions:
    """Return the same counts for models that are told the length of the sentence, and so need not predict its end."""
    return [{token: count for token, count in counts.items() if token != END} for counts in positions]


def positional_optimum(positions: Positions) -> float:
    """Return the mean loss of the best model of the position alone.

    Args:
        positions: counts or probabilities of tokens at each position; the first position has as many as sentences.
    Returns:
        Nats a sentence, of the sentences counted; `END` counts where the positions hold it.
    """
    return math.fsum(map(_code_length, positions)) / math.fsum(positions[0].values())


def unigram_optimum(positions: Positions) -> float:
    """Return the mean loss of the best model that gives the same probabilities at every position; else as above."""
    total: defaultdict[str, float] = defaultdict(float)
    for counts in positions:
        for token, count in counts.items():
            total[token] += count
    return _code_length(total) / math.fsum(positions[0].values())


def _code_length(counts: Mapping[str, float]) -> float:
    """Return the summed -log share, in nats, of all that was counted."""
    total = math.fsum(counts.values())
    return math.fsum(-count * math.log(count / total) for count in counts.values())
