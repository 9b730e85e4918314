"""A batch shared among processes, played through in one: the loss and gradient of the whole batch, in float64."""

from collections import defaultdict
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from pipeline_lib.compute import sharing
from pipeline_lib.compute.sharing import Share, holding
from pipeline_lib.models.system import Objective
from unit.model_fixtures import SYSTEMS, generator, make_batch, make_model

WEIGHT = 0.7
CASES = [(system, {}) for system in SYSTEMS] + [("sepacvae", {"winner": "random"}), ("sepacvae", {"blocking": False})]


class Processes:
    """Stands in for torch.distributed: each process in turn, twice, since the first time nobody knows the others."""

    def __init__(self, number: int) -> None:
        self.number, self.rank = number, 0
        self._sent: dict[int, list[torch.Tensor]] = defaultdict(list)
        self._call = 0

    def start(self, rank: int) -> None:
        self.rank, self._call = rank, 0

    def get_rank(self) -> int:
        return self.rank

    def all_gather(self, parts: list[torch.Tensor], own: torch.Tensor, group: None) -> None:
        if self._call == len(self._sent[self.rank]):
            self._sent[self.rank].append(own.clone())
        for rank, part in enumerate(parts):
            sent = self._sent[rank]
            part.copy_(sent[self._call] if self._call < len(sent) else torch.zeros_like(own))
        self._call += 1


def rows_of(part: Any, rows: torch.Tensor) -> Any:
    """The examples ``rows`` of a batch, or of a part of it."""
    if part is None or isinstance(part, torch.Tensor):
        return None if part is None else part[rows]
    return replace(part, **{field.name: rows_of(getattr(part, field.name), rows) for field in fields(part)})


def gradients(model: torch.nn.Module, objective: Objective) -> dict[str, torch.Tensor]:
    model.zero_grad()
    objective.loss.backward()
    return {name: torch.zeros_like(p) if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize(("examples", "number"), [(12, 2), (11, 3), (3, 4)])
@pytest.mark.parametrize(("system", "options"), CASES, ids=str)
def test_averaged_over_processes_loss_and_gradient_are_the_whole_batchs(system, options, examples, number, monkeypatch):
    model, batch = make_model(system, options=options), make_batch(examples)
    whole = model.objective(batch, WEIGHT, generator())
    expected = gradients(model, whole)
    processes = Processes(number)
    monkeypatch.setattr(sharing, "dist", processes)
    for _ in range(2):
        shares = []
        for rank in range(number):
            processes.start(rank)
            share = Share.of(examples, rank, number)
            with holding(share):
                shares.append(model.objective(rows_of(batch, share.rows), WEIGHT, generator()))
    assert_close(torch.stack([share.loss for share in shares]).mean(), whole.loss)
    found = [gradients(model, share) for share in shares]
    for name, gradient in expected.items():
        assert_close(torch.stack([each[name] for each in found]).mean(0), gradient, msg=lambda m, n=name: f"{n}: {m}")


def test_what_is_gathered_has_the_values_of_its_process_in_half_precision_too(monkeypatch):
    processes = Processes(3)
    monkeypatch.setattr(sharing, "dist", processes)
    own = torch.randn(4, 8, generator=generator()).bfloat16().requires_grad_()
    with holding(Share.of(12, 1, 3)):
        processes.start(1)
        gathered = sharing.gathered(own)
    assert torch.equal(gathered[4:8], own)
    gathered.sum().backward()
    assert torch.equal(own.grad, torch.full_like(own, 3))


def test_every_example_is_in_one_share_and_every_process_has_one():
    for whole, number in ((12, 5), (3, 4), (1, 2)):
        shares = [Share.of(whole, rank, number) for rank in range(number)]
        assert sorted(int(row) for share in shares for row in share.rows[: share.counted]) == list(range(whole))
        assert all(len(share.rows) for share in shares)
