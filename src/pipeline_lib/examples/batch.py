"""Padded examples."""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Padded examples. Optional fields are None for systems or corpora that have none.

    Attributes:
        context: (B, Tc) int64 token ids, pad 0; ``context_lengths`` (B,) int64.
        words: (B, Tr) int64, the response; ``lengths`` counts its end token, so it has ``lengths - 1`` words.
        inputs: (B, Tr) int64, start token, then the words; what a teacher-forced decoder reads.
        targets: (B, Tr) int64, the words, then the end token.
        group: (B,) int64 cluster of each example, or None.
    """

    context: Tensor
    context_lengths: Tensor
    inputs: Tensor
    targets: Tensor
    lengths: Tensor
    group: Tensor | None = None

    @property
    def words(self) -> Tensor:
        return self.inputs[:, 1:]

    @property
    def word_lengths(self) -> Tensor:
        return self.lengths - 1

    def __len__(self) -> int:
        return len(self.context)

    def to(self, device: torch.device) -> "Batch":
        moved = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: v.to(device, non_blocking=True) for k, v in moved.items() if v is not None})
