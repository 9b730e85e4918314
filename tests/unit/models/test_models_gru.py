"""Copies that share their input projection against torch's GRU on each copy written out."""

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence
from torch.testing import assert_close

from pipeline_lib.models.layers.gru import GRU

LENGTHS = torch.tensor([2, 6, 1, 6, 3])


@pytest.fixture
def inputs():
    torch.manual_seed(4)
    return torch.randn(5, 6, 3, dtype=torch.float64)


def test_last_states_are_those_of_torchs_gru_on_each_text_alone(inputs):
    gru = GRU(3, 4, bidirectional=True).double()
    ours = gru.last_states(inputs, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        assert_close(ours[row], torch.cat(list(torch.nn.GRU.forward(gru, inputs[row : row + 1, :length])[1]), -1)[0])


@pytest.mark.parametrize("with_gradient", [False, True])
def test_the_last_states_of_copies_are_those_of_the_marked_texts(inputs, with_gradient):
    gru, marks = GRU(3, 4, bidirectional=True).double(), torch.randn(2, 3, dtype=torch.float64)
    with torch.set_grad_enabled(with_gradient):
        ours = gru.last_states_of_copies(inputs, LENGTHS, marks).view(5, 2, 8)
    assert ours.requires_grad == with_gradient
    for j in range(2):
        packed = pack_padded_sequence(inputs + marks[j], LENGTHS, batch_first=True, enforce_sorted=False)
        assert_close(ours[:, j], torch.cat(list(torch.nn.GRU.forward(gru, packed)[1]), -1))


@pytest.mark.parametrize("with_gradient", [False, True])
def test_the_outputs_of_copies_are_those_of_the_repeated_inputs(inputs, with_gradient):
    gru = GRU(3, 4, layers=2).double()
    initial = torch.randn(2, 10, 4, dtype=torch.float64)
    with torch.set_grad_enabled(with_gradient):
        ours = gru.outputs(inputs, initial, copies=2)
    assert ours.requires_grad == with_gradient
    assert_close(ours, torch.nn.GRU.forward(gru, inputs.repeat_interleave(2, 0), initial)[0])


@pytest.mark.parametrize("with_gradient", [False, True])
def test_copies_share_their_projection_where_no_gradient_is_wanted(inputs, with_gradient, monkeypatch):
    gru, scans = GRU(3, 4).double(), []
    scan = gru._scan
    monkeypatch.setattr(gru, "_scan", lambda *given: scans.append(given) or scan(*given))
    with torch.set_grad_enabled(with_gradient):
        gru.last_states_of_copies(inputs, LENGTHS, torch.zeros(2, 3).double())
        gru.outputs(inputs, torch.zeros(1, 10, 4).double(), copies=2)
        gru.outputs(inputs, torch.zeros(1, 5, 4).double())  # a single copy is torch's own affair
    assert len(scans) == (0 if with_gradient else 2)
