"""Comparison of a model's values with those of the reference."""

import torch
from torch import Tensor
from torch.testing import assert_close


def assert_same(found: Tensor | None, expected: list[Tensor]) -> None:
    """Compare values of a batch with those of its examples; the tolerance is that of sums in another order."""
    assert found is not None
    assert_close(found, torch.stack(expected).to(found.dtype), rtol=1e-9, atol=1e-11)


def assert_same_objective(model, found, loss: Tensor, log: dict[str, list[Tensor]], weights: dict[str, Tensor]) -> None:
    """Compare the loss, every logged term and the gradient of every parameter."""
    assert_close(found.loss, loss, rtol=1e-10, atol=0)
    assert found.log.keys() == log.keys()
    for name, values in log.items():
        assert_same(found.log[name].view(-1), values)
    model.zero_grad()
    found.loss.backward()
    loss.backward()
    for name, parameter in model.named_parameters():
        gradient, expected = (torch.zeros_like(p) if p.grad is None else p.grad for p in (parameter, weights[name]))
        assert_close(gradient, expected, rtol=1e-8, atol=1e-11, msg=lambda text, name=name: f"{name}: {text}")
