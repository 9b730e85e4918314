"""The transformer's layers, against torch's own, and decoding with a cache against decoding without."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from pipeline_lib.models.layers.recurrent import valid_positions
from pipeline_lib.models.layers.transformer import Attention, Decoder, Encoder, masked_mean, positioned

WIDTH, HEADS, INNER = 12, 3, 20
LENGTHS = torch.tensor([5, 2, 4])


def random(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def copy_attention(ours: Attention, theirs: nn.MultiheadAttention) -> None:
    parts = (ours.query, ours.key, ours.value)
    theirs.in_proj_weight.data.copy_(torch.cat([part.weight for part in parts]))
    theirs.in_proj_bias.data.copy_(torch.cat([part.bias for part in parts]))
    theirs.out_proj.load_state_dict(ours.out.state_dict())


def copy_common(ours, theirs) -> None:
    copy_attention(ours.attention, theirs.self_attn)
    theirs.linear1.load_state_dict(ours.expand.state_dict())
    theirs.linear2.load_state_dict(ours.contract.state_dict())


def options() -> dict:
    return {"batch_first": True, "norm_first": True, "activation": "gelu", "dropout": 0.0, "dtype": torch.float64}


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(1)
    return Encoder(2, WIDTH, HEADS, INNER).double()


@pytest.fixture
def decoder() -> Decoder:
    torch.manual_seed(2)
    return Decoder(2, WIDTH, HEADS, INNER).double()


def test_the_encoder_is_torchs(encoder):
    texts = random(3, 5, WIDTH)
    expected = texts
    for layer in encoder.layers:
        theirs = nn.TransformerEncoderLayer(WIDTH, HEADS, INNER, **options())
        copy_common(layer, theirs)
        theirs.norm1.load_state_dict(layer.before_attention.state_dict())
        theirs.norm2.load_state_dict(layer.before_expansion.state_dict())
        expected = theirs(expected, src_key_padding_mask=~valid_positions(LENGTHS, 5))
    found, expected = encoder(texts, LENGTHS), encoder.last(expected)
    for row, length in enumerate(LENGTHS):
        assert_close(found[row, :length], expected[row, :length])


def test_the_decoder_is_torchs(decoder):
    texts, memory = random(3, 4, WIDTH), random(3, 5, WIDTH, seed=3)
    expected = texts
    future = torch.ones(4, 4, dtype=torch.bool).triu(1)
    for layer in decoder.layers:
        theirs = nn.TransformerDecoderLayer(WIDTH, HEADS, INNER, **options())
        copy_common(layer, theirs)
        copy_attention(layer.cross, theirs.multihead_attn)
        theirs.norm1.load_state_dict(layer.before_attention.state_dict())
        theirs.norm2.load_state_dict(layer.before_cross.state_dict())
        theirs.norm3.load_state_dict(layer.before_expansion.state_dict())
        padding = ~valid_positions(LENGTHS, 5)
        expected = theirs(expected, memory, tgt_mask=future, memory_key_padding_mask=padding)
    found, _ = decoder(texts, decoder.start(memory, LENGTHS))
    assert_close(found, decoder.last(expected))


def test_word_by_word_with_a_cache_gives_the_states_of_all_words_at_once_and_follows_its_rows(decoder):
    texts, memory = random(3, 4, WIDTH), random(3, 5, WIDTH, seed=3)
    whole, _ = decoder(texts, decoder.start(memory, LENGTHS))
    cache = decoder.start(memory, LENGTHS)
    rows = torch.arange(3)
    for position in range(4):
        state, cache = decoder(texts[rows][:, position : position + 1], cache)
        assert_close(state[:, 0], whole[rows, position])
        keep = torch.tensor([2, 0, 0, 1])[: 3 + position % 2]
        rows, cache = rows[keep], cache.take(keep)


def test_what_is_beyond_a_text_is_never_read(encoder):
    texts = random(3, 5, WIDTH)
    found = masked_mean(encoder(texts, LENGTHS), LENGTHS)
    changed = torch.where(valid_positions(LENGTHS, 5).unsqueeze(-1), texts, 1e3)
    assert_close(masked_mean(encoder(changed, LENGTHS), LENGTHS), found)
    assert_close(found[1], encoder(texts[1:2, :2], LENGTHS[1:2])[0].mean(0))


def test_a_position_has_the_waves_of_the_paper_wherever_decoding_stands():
    found = positioned(torch.zeros(1, 3, 6), first=2)[0]
    for row, place in enumerate((2, 3, 4)):
        for i in range(3):
            angle = torch.tensor(place / 10_000 ** (2 * i / 6))
            assert_close(found[row, 2 * i : 2 * i + 2], torch.stack([angle.sin(), angle.cos()]))


def test_hypotheses_that_change_places_within_a_text_or_between_texts_read_their_own_text():
    torch.manual_seed(2)
    decoder = Decoder(2, WIDTH, HEADS, INNER).double()
    memory, words = random(3, 5, WIDTH), random(6, 4, WIDTH, seed=3)
    text = torch.tensor([0, 0, 1, 1, 2, 2])
    cache = decoder.start(memory, LENGTHS).take(text)
    written = words[:, :1]
    _, cache = decoder(written, cache)
    for step, rows in enumerate(([1, 0, 2, 2, 5, 4], [4, 1, 0, 3, 3, 2]), 1):
        cache, text, written = cache.take(torch.tensor(rows)), text[rows], written[rows]
        states, cache = decoder(words[:, step : step + 1], cache)
        written = torch.cat([written, words[:, step : step + 1]], 1)
        whole, _ = decoder(written, decoder.start(memory[text], LENGTHS[text]))
        assert_close(states[:, 0], whole[:, -1])
