"""The scanned GRU against torch's, and its gradient against finite differences."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_packed_sequence

from pipeline_lib.models.layers.gru import packed
from pipeline_lib.models.layers.scan import ScannedGRU, _Scan

LENGTHS = torch.tensor([3, 7, 1, 7, 4])


def both(bidirectional: bool) -> tuple[ScannedGRU, nn.GRU]:
    """The same weights in both, of float64."""
    torch.manual_seed(0)
    ours = ScannedGRU(4, 3, bidirectional=bidirectional).double()
    theirs = nn.GRU(4, 3, batch_first=True, bidirectional=bidirectional).double()
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def results(gru: nn.GRU, inputs: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Outputs and last states, and the gradients of an uneven sum of both."""
    outputs, last = gru(packed(inputs, LENGTHS))
    padded, _ = pad_packed_sequence(outputs, batch_first=True)
    loss = (padded * torch.linspace(-1, 2, padded.numel()).view_as(padded)).sum() + (last**2).sum()
    return [padded, last], list(torch.autograd.grad(loss, [inputs, *gru.parameters()]))


@pytest.mark.parametrize("bidirectional", [False, True])
def test_states_and_gradients_are_those_of_torch(bidirectional):
    inputs = torch.randn(5, 7, 4, dtype=torch.float64, requires_grad=True)
    ours, theirs = (results(gru, inputs) for gru in both(bidirectional))
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_the_gradient_of_the_scan_is_that_of_finite_differences():
    torch.manual_seed(1)
    sizes = [3, 3, 2, 1]
    projected, weight, bias = (
        torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((2, 9, 6), (2, 6, 2), (2, 6))
    )
    assert torch.autograd.gradcheck(lambda *given: _Scan.apply(*given, sizes), (projected, weight, bias))


def test_texts_of_one_word_and_a_batch_of_one_text_are_read():
    inputs = torch.randn(2, 1, 4, dtype=torch.float64)
    ours, theirs = both(bidirectional=True)
    for batch in (inputs, inputs[:1]):
        lengths = torch.ones(len(batch), dtype=torch.int64)
        torch.testing.assert_close(ours.last_states(batch, lengths), torch.cat(list(theirs(batch)[1]), -1))
