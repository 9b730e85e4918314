"""Search for the likeliest words at the unknown positions of a sentence whose other words and length are known.

B sentences, T words, K hypotheses in the beam. Sentences are in the order in which the model emits their words.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from pipeline_lib.decoding.beam import FREE, Beam
from pipeline_lib.decoding.steps import Steps

LogP = Callable[[Tensor, Tensor], Tensor]
"""(R, T) int64 whole sentences and (R,) int64, the number of each one's context among B -> (R,) log p, nats."""


def complete(beam: Beam, steps: Steps, known: Tensor, barred: Tensor, log_p: LogP) -> Tensor:
    """Fill the unknown positions (Bowman et al. 2016, section 4).

    The beam runs as far as the last unknown position. The known words after it leave no choice, so all hypotheses are
    teacher-forced through them in one pass, and the one with the greatest total is taken.

    Args:
        beam: its length penalty has no effect, as all hypotheses of a sentence have T words.
        steps: at their start, a row for each sentence.
        known: (B, T) int64, words, or `FREE` where one is unknown.
        barred: (V,) bool, words that no unknown position may have.
        log_p: scores sentences with their end token.
    Returns:
        (B, T) int64, without end tokens. With a beam that holds all hypotheses these are the likeliest sentences.
    """
    if not bool((known == FREE).any()):
        return known
    searched = int((known == FREE).any(0).nonzero().max()) + 1
    found = beam.prefixes(steps, known[:, :searched], barred)
    contexts, width = found.scores.shape
    rest = known[:, searched:].unsqueeze(1).expand(-1, width, -1)
    whole = torch.cat([found.words, rest], -1)
    of_context = torch.arange(contexts, device=known.device).repeat_interleave(width)
    totals = log_p(whole.flatten(0, 1), of_context).view(contexts, width)
    # where fewer words are allowed than the beam holds, hypotheses without probability fill it
    best = totals.masked_fill(found.scores == -torch.inf, -torch.inf).argmax(1)
    return whole[torch.arange(contexts, device=known.device), best]
