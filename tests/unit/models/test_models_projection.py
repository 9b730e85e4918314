"""The projection to the vocabulary in stretches, against the plain form that makes all logits."""

import subprocess
import sys

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from pipeline_lib.models.layers import projection

M, H, V, E = 11, 5, 9, 3


def example() -> tuple[torch.Tensor, torch.nn.Linear, torch.Tensor, torch.Tensor]:
    torch.manual_seed(6)
    rows = torch.randn(M, H, dtype=torch.float64, requires_grad=True)
    return rows, torch.nn.Linear(H, V).double(), torch.randint(V, (M,)), torch.randn(V, E).double()


@pytest.fixture(params=["one stretch", "stretches of four rows"])
def stretched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "one stretch":
        monkeypatch.setattr(projection, "_LOGITS_AT_ONCE", 0)
        monkeypatch.setattr(projection, "_SCORED_AT_ONCE", 0)
        monkeypatch.setattr(projection, "_FEWEST_ROWS", 4)


@pytest.mark.usefixtures("stretched")
def test_likelihood_and_its_gradients_are_those_of_cross_entropy():
    rows, output, targets, _ = example()
    upstream = torch.randn(M).double()
    parameters = [rows, output.weight, output.bias]
    ours = projection.likelihood(rows, output, targets)
    theirs = F.cross_entropy(output(rows), targets, reduction="none")
    assert_close(ours, theirs)
    assert_close(torch.autograd.grad(ours @ upstream, parameters), torch.autograd.grad(theirs @ upstream, parameters))
    with torch.no_grad():
        assert_close(projection.likelihood(rows, output, targets), theirs)


@pytest.mark.usefixtures("stretched")
def test_expected_vectors_and_their_gradients_are_those_of_two_separate_softmaxes():
    rows, output, targets, embeddings = example()
    up_nll, up_words = torch.randn(M).double(), torch.randn(M, E).double()

    def gradients(nll: torch.Tensor, words: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.autograd.grad((nll * up_nll).sum() + (words * up_words).sum(), [rows, output.weight, output.bias])

    ours = projection.likelihood_and_expected_vectors(rows, output, targets, embeddings)
    logits = output(rows)
    theirs = F.cross_entropy(logits, targets, reduction="none"), logits.softmax(-1) @ embeddings
    assert_close(ours, theirs)
    assert_close(gradients(*ours), gradients(*theirs))


@pytest.mark.usefixtures("stretched")
def test_gradients_agree_with_finite_differences():
    rows, output, targets, embeddings = example()

    def of(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, ...]:
        layer = torch.nn.Linear(H, V).double()
        del layer.weight, layer.bias
        layer.weight, layer.bias = weight, bias
        return projection.likelihood_and_expected_vectors(rows, layer, targets, embeddings)

    # a second backward pass computes the probabilities again, and differs by rounding
    assert torch.autograd.gradcheck(of, (rows, output.weight, output.bias), nondet_tol=1e-12)


@pytest.mark.usefixtures("stretched")
@pytest.mark.parametrize("wanted", [[0], [1], [2], [0, 2]])
def test_a_gradient_that_is_asked_for_alone_is_that_of_all_together(wanted):
    rows, output, targets, _ = example()
    every = [rows, output.weight, output.bias]
    expected = torch.autograd.grad(projection.likelihood(rows, output, targets).sum(), every)
    for number, parameter in enumerate(every):
        parameter.requires_grad_(number in wanted)
    found = torch.autograd.grad(projection.likelihood(rows, output, targets).sum(), [every[i] for i in wanted])
    assert_close(found, tuple(expected[i] for i in wanted))


@pytest.mark.usefixtures("stretched")
def test_under_bfloat16_products_the_gradient_stays_near_and_of_the_parameters_type():
    rows, output, targets, embeddings = example()
    rows32, output32 = rows.detach().float().requires_grad_(), output.float()
    exact = projection.likelihood(rows32, output32, targets).sum()
    expected = torch.autograd.grad(exact, [rows32, output32.weight])
    with torch.autocast("cpu", torch.bfloat16):
        nll, _ = projection.likelihood_and_expected_vectors(rows32, output32, targets, embeddings.float())
    assert nll.dtype == torch.float32
    found = torch.autograd.grad(nll.sum(), [rows32, output32.weight])
    assert [g.dtype for g in found] == [torch.float32] * 2
    assert_close(found, expected, rtol=0.05, atol=0.05)


_PEAK = """
import resource, sys, torch
from pipeline_lib.models.layers import projection
from pipeline_lib.compute.device import keep_freed_memory
tokens, words = map(int, sys.argv[1:])
output = torch.nn.Linear(16, words)
rows = torch.randn(tokens, 16, requires_grad=True)
projection.likelihood(rows[:8], output, torch.zeros(8, dtype=torch.int64)).sum().backward()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
projection.likelihood(rows, output, torch.zeros(tokens, dtype=torch.int64)).sum().backward()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_peak_memory_does_not_grow_with_tokens_times_vocabulary():
    def mebibytes(tokens: int) -> float:
        done = subprocess.run(
            [sys.executable, "-c", _PEAK, str(tokens), "87840"], capture_output=True, text=True, check=True
        )
        return int(done.stdout) / 1024

    few, many = mebibytes(512), mebibytes(2048)
    assert many < few + 100  # all logits of the 1,536 tokens more, once, would be 515 MiB
