"""The loss of a language model without memory, which knows only the position in the sentence.

An inputless decoder without a latent variable sees nothing but the number of words that it has emitted.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

END = "</s>"  # one more token of every sentence, at the position after its last word

Positions = Sequence[Mapping[str, float]]  # at each 0-based position, how often each token occurs there


def positional_losses(positions: Positions, sentences: Iterable[Sequence[str]]) -> list[float]:
    """Return -log p of each sentence, nats, by the shares at each position; infinite where one is 0. `END` counts."""
    totals = [math.fsum(counts.values()) for counts in positions]
    losses = []
    for tokens in sentences:
        counted = zip(positions, totals, [*tokens, END], strict=False)
        shares = [counts.get(token, 0.0) / total for counts, total, token in counted]
        possible = len(tokens) < len(positions) and all(shares)
        losses.append(-math.fsum(map(math.log, shares)) if possible else math.inf)
    return losses
