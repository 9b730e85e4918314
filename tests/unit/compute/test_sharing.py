"""A batch shared among processes, played through in one: the loss and gradient of the whole batch, in float64."""

import pytest
import torch

from pipeline_lib.compute import sharing
from pipeline_lib.compute.sharing import Share, holding
from unit.model_fixtures import SYSTEMS, generator, make_batch, make_model
from unit.shared_batches import Processes, check_shares, computed

WEIGHT = 0.7
CASES = [(system, {}) for system in SYSTEMS] + [("sepacvae", {"winner": "random"}), ("sepacvae", {"blocking": False})]


@pytest.mark.parametrize(("examples", "number"), [(12, 2), (11, 3), (3, 4)])
@pytest.mark.parametrize(("system", "options"), CASES, ids=str)
def test_averaged_over_processes_loss_and_gradient_are_the_whole_batchs(system, options, examples, number):
    model = make_model(system, options=options)
    check_shares(
        make_batch(examples),
        examples,
        number,
        lambda batch: computed(model, model.objective(batch, WEIGHT, generator())),
    )


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
