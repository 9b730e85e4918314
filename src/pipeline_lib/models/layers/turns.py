"""A context of several turns: its words by turn, and the hierarchical encoder that reads them (Serban et al. 2016).

B examples, K turns of a context, L words of a turn, E embedding size, H hidden units.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline_lib.examples.batch import Tokens
from pipeline_lib.models.layers.dropping import dropout
from pipeline_lib.models.layers.recurrent import valid_positions
from pipeline_lib.models.layers.scan import ScannedEncoder


def by_turn(context: Tokens, turn: int, pad: int) -> Tokens:
    """Divide contexts at the id ``turn``.

    Returns:
        ids (B, K, L), K being the most turns of the batch, and lengths (B, K), 0 for a turn without a word.
    """
    inside = valid_positions(context.lengths, context.ids.shape[1])
    marks = inside & (context.ids == turn)
    words = inside & ~marks
    number = marks.cumsum(1)  # the turn of each token
    turns = int(number.max()) + 1
    lengths = torch.zeros(len(number), turns, dtype=torch.int64, device=number.device)
    lengths = lengths.scatter_add(1, number, words.long())
    before = (lengths.cumsum(1) - lengths).gather(1, number)
    place = (words.cumsum(1) - 1 - before).clamp(min=0)
    longest = max(1, int(lengths.max()))
    flat = torch.full((len(number), turns * longest), pad, device=number.device)
    example = torch.arange(len(number), device=number.device).unsqueeze(1).expand_as(number)
    flat[example[words], (number * longest + place)[words]] = context.ids[words]
    return Tokens(flat.view(len(number), turns, longest), lengths)


class TurnEncoder(nn.Module):
    """Bidirectional GRU over the words of each turn, then one over the turns, each with its floor as a one-hot."""

    def __init__(self, embedding_size: int, hidden: int) -> None:
        super().__init__()
        self.turn = ScannedEncoder(embedding_size, hidden)
        self.context = ScannedEncoder(2 * hidden + 2, hidden)
        self.size = 2 * hidden

    def forward(
        self, embedded: Tensor, lengths: Tensor, floors: Tensor | None, rate: float, generator: torch.Generator | None
    ) -> Tensor:
        """Encode contexts.

        Args:
            embedded: (B, K, L, E) words of each turn.
            lengths: (B, K); a turn without words is read as one of padding.
            floors: (B, K) int64, 1: spoken by the one who responds; None: the two speakers take turns.
            rate: share of the components of encoded turns that are dropped; without a generator, none is.
        Returns:
            (B, 2H).
        """
        turns = lengths.shape[1]
        encoded = self.turn(embedded.flatten(0, 1), lengths.flatten().clamp(min=1)).unflatten(0, (-1, turns))
        if generator is not None:
            encoded = dropout(encoded, rate, generator)
        if floors is None:
            floors = (torch.arange(turns, 0, -1, device=lengths.device) % 2 == 0).long().expand(len(lengths), -1)
        marks = F.one_hot(floors, 2).to(encoded.dtype)
        return self.context(torch.cat([encoded, marks], -1), torch.full((len(lengths),), turns))
