"""The decoder with attention: its scan over all steps against its single steps, and against finite differences."""

import pytest
import torch
from torch import Tensor

from pipeline_lib.models.layers import attentive
from pipeline_lib.models.layers.attentive import Attended, AttentiveDecoder, _Attention


def case(examples: int = 3, words: int = 6) -> tuple[AttentiveDecoder, list[Tensor], Tensor]:
    """A decoder; words, first state, what is beside each word, and encoded contexts, of which the second is shorter."""
    torch.manual_seed(0)
    decoder = AttentiveDecoder(embedding=4, hidden=3, beside=2, vocabulary_size=5).double()
    shapes = (examples, words, 4), (examples, 3), (examples, 2), (examples, 5, 6)
    given = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    return decoder, given, torch.tensor([5, 2, 5])[:examples]


def gradients(decoder: AttentiveDecoder, given: list[Tensor], lengths: Tensor) -> tuple[Tensor, list[Tensor]]:
    words, first, beside, encoded = given
    told = decoder.states(words, first, beside, decoder.attended(encoded, lengths))
    trained = [own for name, own in decoder.named_parameters() if not name.startswith(("initial", "output"))]
    loss = (told * torch.linspace(-1, 2, told.numel()).view_as(told)).sum() + (told**2).sum()
    return told, list(torch.autograd.grad(loss, [*given, *trained]))


@pytest.mark.parametrize(("examples", "words"), [(3, 6), (3, 1), (1, 6), (1, 1)])
def test_reading_all_words_at_once_gives_the_states_and_gradients_of_reading_them_one_by_one(
    monkeypatch, examples, words
):
    decoder, given, lengths = case(examples, words)
    at_once = gradients(decoder, given, lengths)
    monkeypatch.setattr(attentive, "scans", lambda words: False)
    torch.testing.assert_close(at_once, gradients(decoder, given, lengths), rtol=1e-10, atol=1e-12)


def attended(inside: Tensor, words: int) -> list[Tensor]:
    """Draw what `_Attention` reads but ``inside`` (B, S)."""
    torch.manual_seed(1)
    b, s = inside.shape
    shapes = (b, words, 6), (b, 2), (b, s, 4), (b, s, 2), (6, 4), (6, 2), (6,), (2, 2), (1, 2)
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def test_neither_what_the_attention_reads_nor_its_gradient_is_changed_of_one_word():
    inside = torch.tensor([[True, True]])
    given, handed = attended(inside, 1), torch.ones(1, 1, 6, dtype=torch.float64)
    before = [own.detach().clone() for own in given]
    _Attention.apply(*given[:4], inside, *given[4:]).backward(handed)
    assert all(torch.equal(own, old) for own, old in zip(given, before, strict=True))
    assert bool((handed == 1).all())


def test_the_gradient_of_the_attention_is_that_of_finite_differences():
    inside = torch.tensor([[True, True, True], [True, False, False]])
    given = attended(inside, 3)
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
