"""The hand-written GRU against torch's own."""

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence
from torch.testing import assert_close

from pipeline_lib.models.gru import GRU


@pytest.fixture
def inputs():
    torch.manual_seed(4)
    return torch.randn(5, 6, 3, dtype=torch.float64, requires_grad=True)


def gradients(value, *tensors):
    weights = torch.linspace(-1, 2, value.numel(), dtype=value.dtype).view_as(value)
    return torch.autograd.grad((value * weights).sum(), tensors)


def test_last_states_and_their_gradients_are_those_of_torchs_bidirectional_gru(inputs):
    gru, lengths = GRU(3, 4, bidirectional=True).double(), torch.tensor([2, 6, 1, 6, 3])
    ours = gru.last_states(inputs, lengths)
    packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
    theirs = torch.cat(list(torch.nn.GRU.forward(gru, packed)[1]), -1)
    assert_close(ours, theirs)
    for mine, other in zip(*(gradients(v, inputs, *gru.parameters()) for v in (ours, theirs)), strict=True):
        assert_close(mine, other)


def test_outputs_and_their_gradients_are_those_of_torchs_two_layer_gru(inputs):
    gru = GRU(3, 4, layers=2).double()
    initial = torch.randn(2, 5, 4, dtype=torch.float64, requires_grad=True)
    ours, theirs = gru.outputs(inputs, initial), torch.nn.GRU.forward(gru, inputs, initial)[0]
    assert_close(ours, theirs)
    for mine, other in zip(*(gradients(v, inputs, initial, *gru.parameters()) for v in (ours, theirs)), strict=True):
        assert_close(mine, other)


def test_the_backward_pass_agrees_with_finite_differences(inputs):
    gru, lengths = GRU(3, 2, bidirectional=True).double(), torch.tensor([2, 4, 1, 6, 3])
    assert torch.autograd.gradcheck(lambda x: gru.last_states(x, lengths), (inputs,))


def test_copies_share_the_input_projection_and_give_what_each_alone_would(inputs):
    gru, lengths = GRU(3, 4, bidirectional=True).double(), torch.tensor([2, 6, 1, 6, 3])
    marks = torch.randn(2, 3, dtype=torch.float64)
    ours = gru.last_states_of_copies(inputs, lengths, marks).view(5, 2, 8)
    for j in range(2):
        assert_close(ours[:, j], gru.last_states(inputs + marks[j], lengths))


def test_outputs_of_copies_are_those_of_the_repeated_inputs(inputs):
    gru = GRU(3, 4, layers=2).double()
    initial = torch.randn(2, 10, 4, dtype=torch.float64)
    theirs = torch.nn.GRU.forward(gru, inputs.repeat_interleave(2, 0), initial)[0]
    assert_close(gru.outputs(inputs, initial, copies=2), theirs)


def test_nothing_is_kept_for_a_backward_pass_that_will_not_come(inputs):
    gru = GRU(3, 4, layers=2).double()
    with torch.no_grad():
        outputs = gru.outputs(inputs, torch.zeros(2, 5, 4, dtype=torch.float64))
    assert outputs.grad_fn is None
    assert_close(outputs, torch.nn.GRU.forward(gru, inputs)[0])
