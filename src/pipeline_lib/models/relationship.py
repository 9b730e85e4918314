"""Relationship enhancement of SepaCVAE (Sun et al. 2021, eq. 4): a contrast between groups, as printed and as released.

B examples, H components of an encoded response.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

SCALE = 5.0  # of similarities


def relationship_loss(encodings: Tensor, groups: Tensor) -> Tensor:
    """Pull responses of one group together and push the others apart (eq. 4).

    The printed ratio of exponentials equals ``softplus(negative - positive)``; evaluated so, it cannot overflow.
    Similarities are cosines times `SCALE`, averaged (not summed) over an example's positives and negatives, itself
    excluded, so that the value does not depend on the batch size.

    Args:
        encodings: (B, H) encodings of generated responses, any scale.
        groups: (B,) int64, the winning group of each example.
    Returns:
        Scalar, nats, mean over the examples that have both a positive and a negative; 0 if none has.
    """
    unit = F.normalize(encodings, dim=-1)
    similarity = SCALE * unit @ unit.T
    same = groups.unsqueeze(0) == groups.unsqueeze(1)
    positives = same & ~torch.eye(len(groups), dtype=torch.bool, device=groups.device)
    negatives = ~same
    has_both = positives.any(1) & negatives.any(1)
    positive = (similarity * positives).sum(1) / positives.sum(1).clamp(min=1)
    negative = (similarity * negatives).sum(1) / negatives.sum(1).clamp(min=1)
    losses = F.softplus(negative - positive) * has_both
    return losses.sum() / has_both.sum().clamp(min=1)


def released_relationship_loss(encodings: Tensor, groups: Tensor, number: int) -> Tensor:
    """Compute eq. 4 as the released code does.

    The Gram matrix is min-max rescaled to [0, `SCALE`], sums are divided by N, and pairs with itself are included.

    The code takes the Gram matrix over all B*N copies with the losers' encodings zeroed; their only effect is that 0
    takes part in minimum and maximum, so they are not built here.

    Args:
        encodings: (B, H) of the winners.
        groups: (B,) int64.
        number: N, the number of groups.
    """
    gram = encodings @ encodings.T
    low, high = gram.min(), gram.max()
    if number > 1:
        low, high = low.clamp(max=0.0), high.clamp(min=0.0)
    similarity = SCALE * (gram - low) / (high - low).clamp(min=1e-12)
    same = groups.unsqueeze(0) == groups.unsqueeze(1)
    positive = (similarity * same).sum(1) / number
    negative = (similarity * ~same).sum(1) / number
    return F.softplus(negative - positive).mean()
