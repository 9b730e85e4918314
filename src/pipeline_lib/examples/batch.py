"""Padded examples."""

from dataclasses import dataclass, fields, replace
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T", bound="_Moved")


class _Moved:
    """A dataclass of tensors, or of such dataclasses, each of which may be None."""

    def to(self: T, device: torch.device) -> T:
        """Copy every tensor to ``device``."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        moved = {
            name: part.to(device, non_blocking=True) if isinstance(part, Tensor) else part.to(device)
            for name, part in parts.items()
            if part is not None
        }
        return replace(self, **moved)  # type: ignore[type-var]


@dataclass(frozen=True)
class Tokens(_Moved):
    """Padded texts: ``ids`` (B, T) int64 and ``lengths`` (B,) int64, at least 1 each."""

    ids: Tensor
    lengths: Tensor


@dataclass(frozen=True)
class Response(_Moved):
    """Padded texts as a teacher-forced decoder reads and predicts them.

    Attributes:
        inputs: (B, T) int64, the start token, then the words.
        targets: (B, T) int64, the words, then the end token.
        lengths: (B,) int64; the end token counts, so a text has ``lengths - 1`` words.
    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor

    @property
    def words(self) -> Tokens:
        """The texts without start and end."""
        return Tokens(self.inputs[:, 1:], self.lengths - 1)


@dataclass(frozen=True)
class Graph(_Moved):
    """N keywords and what each is joined to; lists of K are filled up with -1.

    Attributes:
        vectors: (N, E) float32, the mean word vector of the texts that each is the keyword of.
        positive: (N, K) int64, keywords of responses to the contexts that the keyword's own responses answer.
        negative: (N, K) int64, keywords of such examples' negatives.
        impostors: (N, K) int64, negative neighbours that are no positive ones, those of most edges first.
    """

    vectors: Tensor
    positive: Tensor
    negative: Tensor
    impostors: Tensor


@dataclass(frozen=True)
class Batch(_Moved):
    """Examples of one step. A field is None where the corpus or the system has none.

    Attributes:
        response: what a system learns to say; where there is no context, the sentence itself.
        context: what it answers; the utterances of a longer context are parted by the token ``<turn>``.
        group: (B,) int64, the cluster of each example.
        user: (B,) int64, who responds; 0: an unknown user.
        profile: (B, N) int64, words that the one who responds is known by, filled up with padding.
        floors: (B, turns of the context) int64, 1 for a turn of the one who responds.
        unknown: (B, S) int64, for each word of the context, which of the unknown words it is, 0-based in the order of
            their first occurrence; -1: a known one, or padding. Only where responses are generated.
        keywords: (B, N) int64, first words of the context's keywords, best first, filled up with padding.
        negative: a text like the response that means something else.
        nodes: (B, 3) int64, the best keyword of context, response and negative in `graph`.
        graph: what is known of all keywords, the same for all examples.
    """

    response: Response
    context: Tokens | None = None
    group: Tensor | None = None
    user: Tensor | None = None
    floors: Tensor | None = None
    profile: Tensor | None = None
    keywords: Tensor | None = None
    unknown: Tensor | None = None
    negative: Tokens | None = None
    nodes: Tensor | None = None
    graph: Graph | None = None

    def __len__(self) -> int:
        return len(self.response.lengths)

    def after(self, others: "Batch") -> "Batch":
        """Return the same responses, each to another example's context, with what is known of that context alone."""
        nodes = self.nodes
        if nodes is not None and others.nodes is not None:
            nodes = torch.cat([others.nodes[:, :1], nodes[:, 1:]], 1)
        return replace(self, context=others.context, floors=others.floors, keywords=others.keywords, nodes=nodes)
