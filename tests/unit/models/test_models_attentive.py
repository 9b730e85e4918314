"""The decoder with attention: its scan over all steps against its single steps, and against finite differences."""

import torch
from torch import Tensor

from pipeline_lib.models.layers import attentive
from pipeline_lib.models.layers.attentive import Attended, AttentiveDecoder, _Attention


def case() -> tuple[AttentiveDecoder, list[Tensor], Tensor]:
    """A decoder; words, first state, what is beside each word, and encoded contexts, of which one is shorter."""
    torch.manual_seed(0)
    decoder = AttentiveDecoder(embedding=4, hidden=3, beside=2, vocabulary_size=5).double()
    shapes = (3, 6, 4), (3, 3), (3, 2), (3, 5, 6)
    given = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    return decoder, given, torch.tensor([5, 2, 5])


def gradients(decoder: AttentiveDecoder, given: list[Tensor], lengths: Tensor) -> tuple[Tensor, list[Tensor]]:
    words, first, beside, encoded = given
    told = decoder.states(words, first, beside, decoder.attended(encoded, lengths))
    trained = [own for name, own in decoder.named_parameters() if not name.startswith(("initial", "output"))]
    loss = (told * torch.linspace(-1, 2, told.numel()).view_as(told)).sum() + (told**2).sum()
    return told, list(torch.autograd.grad(loss, [*given, *trained]))


def test_reading_all_words_at_once_gives_the_states_and_gradients_of_reading_them_one_by_one(monkeypatch):
    decoder, given, lengths = case()
    at_once = gradients(decoder, given, lengths)
    monkeypatch.setattr(attentive, "scans", lambda words: False)
    torch.testing.assert_close(at_once, gradients(decoder, given, lengths), rtol=1e-10, atol=1e-12)


def test_the_gradient_of_the_attention_is_that_of_finite_differences():
    torch.manual_seed(1)
    inside = torch.tensor([[True, True, True], [True, False, False]])
    shapes = (2, 3, 6), (2, 2), (2, 3, 4), (2, 3, 2), (6, 4), (6, 2), (6,), (2, 2), (1, 2)
    given = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(lambda *parts: _Attention.apply(*parts[:4], inside, *parts[4:]), given)


def test_a_step_of_a_decoder_is_the_equations_written_out():
    decoder, (words, first, beside, encoded), lengths = case()
    context = decoder.attended(encoded, lengths)
    state, told = decoder.step(words[:, 0], first, beside, context)
    for row, length in enumerate(lengths.tolist()):
        query = decoder.query.weight @ first[row]
        energies = [decoder.score.weight[0] @ torch.tanh(query + key) for key in context.keys[row, :length]]
        shares = torch.stack(energies).softmax(0)
        read = sum(share * own for share, own in zip(shares, encoded[row, :length], strict=True))
        inputs = torch.cat([words[row, 0], read, beside[row]])
        expected = decoder.gru(inputs.view(1, 1, -1), first[row].view(1, 1, -1))[1].view(-1)
        torch.testing.assert_close(state[row], expected)
        torch.testing.assert_close(told[row], torch.cat([expected, read]))


def test_hypotheses_that_are_kept_keep_their_own_contexts():
    _, (_, _, _, encoded), lengths = case()
    context = Attended(encoded, encoded[..., :3], lengths.unsqueeze(1) > torch.arange(5))
    kept = context[torch.tensor([1, 1, 0])]
    assert torch.equal(kept.states, encoded[[1, 1, 0]])
    assert kept.inside.sum(1).tolist() == [2, 2, 5]
