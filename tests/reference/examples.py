"""Batches as lists of examples, models as dictionaries of leaves, and noise as the models draw it."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

PAD, UNKNOWN, START, END = 0, 1, 2, 3


class Example(NamedTuple):
    """Ids without padding, start and end, and the cluster, if the batch has any."""

    context: list[int]
    response: list[int]
    group: int | None

    @property
    def steps(self) -> list[tuple[int, int]]:
        """Pairs of the word that is read and the one that is to be predicted."""
        return list(zip([START, *self.response], [*self.response, END], strict=True))


def examples_of(batch) -> list[Example]:
    found = []
    for row, length in enumerate(batch.response.lengths.tolist()):
        targets = batch.response.targets[row, :length].tolist()
        assert targets[-1] == END
        context = [] if batch.context is None else batch.context.ids[row, : batch.context.lengths[row]].tolist()
        found.append(Example(context, targets[:-1], None if batch.group is None else int(batch.group[row])))
    return found


def leaves(model: nn.Module) -> dict[str, Tensor]:
    """Copy the tensors of a float64 model, each to take a gradient of its own; the word vectors take none."""
    found = {name: value.detach().clone().requires_grad_() for name, value in model.state_dict().items()}
    if hasattr(model, "embeddings"):
        found["embeddings"] = model.embeddings
    return found


def normal(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=generator).double()


def average(values: list[Tensor]) -> Tensor:
    return torch.stack(values).sum() / len(values)


class Dictation:
    """A decoding strategy that writes given words (R, T) and keeps the scores it is shown, T of (R, V)."""

    def __init__(self, words: Tensor) -> None:
        self.words, self.scores = words, list[Tensor]()

    def __call__(self, steps) -> Tensor:
        assert steps.rows == len(self.words)
        for read in self.read.t():
            self.scores.append(steps.next(read))
        return self.words

    @property
    def read(self) -> Tensor:
        """Return the words before each: (R, T)."""
        return torch.cat([torch.full_like(self.words[:, :1], START), self.words[:, :-1]], 1)
