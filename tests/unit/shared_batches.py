"""Processes that share a batch, played through in one: whether together they have the whole batch's gradient."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from pipeline_lib.compute import sharing
from pipeline_lib.compute.sharing import Share, holding
from pipeline_lib.models.system import Objective

Computed = tuple[torch.Tensor, dict[str, torch.Tensor]]  # a loss, and its gradient by the parameter's name


class Processes:
    """Stands in for torch.distributed: each process in turn, and again, since at first nobody knows the others."""

    def __init__(self, number: int) -> None:
        self.number, self.rank = number, 0
        self._sent: dict[int, list[torch.Tensor]] = defaultdict(list)
        self._call = 0

    def start(self, rank: int) -> None:
        self.rank, self._call = rank, 0
        self._sent[rank] = []

    def get_rank(self) -> int:
        return self.rank

    def all_gather(self, parts: list[torch.Tensor], own: torch.Tensor, group: None) -> None:
        self._sent[self.rank].append(own.clone())
        for rank, part in enumerate(parts):
            sent = self._sent[rank]
            part.copy_(sent[self._call] if self._call < len(sent) else torch.zeros_like(own))
        self._call += 1


def gradients(model: torch.nn.Module, objective: Objective) -> dict[str, torch.Tensor]:
    """The gradient of a loss by every parameter; zero where the loss does not depend on one."""
    model.zero_grad()
    objective.loss.backward()
    return {name: torch.zeros_like(p) if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}


def computed(model: torch.nn.Module, objective: Objective) -> Computed:
    return objective.loss.detach(), gradients(model, objective)


def rows_of(part: Any, rows: torch.Tensor) -> Any:
    """The examples ``rows`` of a batch, or of a part of it."""
    if part is None or isinstance(part, torch.Tensor):
        return None if part is None else part[rows]
    return replace(part, **{field.name: rows_of(getattr(part, field.name), rows) for field in fields(part)})


def check_shares(batch: Any, examples: int, number: int, compute: Callable[[Any], Computed], rounds: int = 2) -> None:
    """Check that loss and gradient, averaged over processes with a share of ``batch`` each, are the whole batch's.

    Where what is sent depends on what was received, it takes a round more for each such step.
    """
    loss, gradient = compute(batch)
    processes = Processes(number)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharing, "dist", processes)
        for _ in range(rounds):
            found = []
            for rank in range(number):
                processes.start(rank)
                share = Share.of(examples, rank, number)
                with holding(share):
                    found.append(compute(rows_of(batch, share.rows)))
    assert_close(torch.stack([own for own, _ in found]).mean(), loss)
    for name, whole in gradient.items():
        average = torch.stack([own[name] for _, own in found]).mean(0)
        assert_close(average, whole, msg=lambda text, name=name: f"{name}: {text}")
