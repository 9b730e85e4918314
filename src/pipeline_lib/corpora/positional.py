"""The best language models without memory: one that knows only the position in the sentence, and one not even that.

An inputless decoder without a latent variable sees nothing but the number of words that it has emitted. Its least loss
is therefore the entropy of the words at each position. Losses are nats a sentence.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

END = "</s>"  # one more token of every sentence, at the position after its last word

Positions = Sequence[Mapping[str, float]]  # at each 0-based position, how often each token occurs there


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


def positional_losses(positions: Positions, sentences: Iterable[Sequence[str]]) -> list[float]:
    """Return -log p of each sentence, `END` included, by the shares at each position; infinite where one is 0."""
    totals = [math.fsum(counts.values()) for counts in positions]
    losses = []
    for tokens in sentences:
        counted = zip(positions, totals, [*tokens, END], strict=False)
        shares = [counts.get(token, 0.0) / total for counts, total, token in counted]
        possible = len(tokens) < len(positions) and all(shares)
        losses.append(-math.fsum(map(math.log, shares)) if possible else math.inf)
    return losses


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
