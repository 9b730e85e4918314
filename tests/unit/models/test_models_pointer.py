"""Systems that point: mixtures and losses against loops in float64, and copies of words that the vocabulary lacks."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from pipeline_lib.config.networks import Dialogue
from pipeline_lib.decoding.beam import Beam
from pipeline_lib.decoding.greedy import Greedy
from pipeline_lib.decoding.steps import log_probability
from pipeline_lib.models.layers.pointing import PointerSteps
from pipeline_lib.models.system import create
from unit.model_fixtures import VOCABULARY, SmallUnits, generator, make_batch

POINTER = "pipeline_lib.models.pointer:PointerSeq2Seq"
SCHEMA = "pipeline_lib.models.schema_pointer:SchemaPointer"
NETWORK = Dialogue(hidden=5, dropout=0.0, initial_range=0.6)
UNKNOWN = 1


def made(embeddings=None, system=POINTER):
    torch.manual_seed(2)
    return create(system, {}, SmallUnits(embeddings), NETWORK).double().eval()


def copying_batch(n=4, unknown=True):
    """Contexts whose first and last words, if they have three, are one unknown word, and whose second is another."""
    batch = make_batch(n)
    ids, numbers = batch.context.ids.clone(), torch.full_like(batch.context.ids, -1)
    for row, length in enumerate(batch.context.lengths.tolist()):
        if length >= 3:
            ids[row, [0, 1, length - 1]] = UNKNOWN
            numbers[row, [0, 1, length - 1]] = torch.tensor([0, 1, 0])
    context = replace(batch.context, ids=ids)
    return replace(batch, context=context, unknown=numbers if unknown else None)


def with_keywords(batch):
    """Two keywords, one, none, and then the same again."""
    keywords = torch.tensor([[7, 9], [11, 0], [0, 0]])
    return replace(batch, keywords=keywords.repeat(len(batch), 1)[: len(batch)])


def by_hand(model, batch, row, words):
    """Probabilities (V + 2) of the word after each of ``words``, computed from the weights one example at a time."""
    length = int(batch.context.lengths[row])
    ids = batch.context.ids[row, :length]
    decoder = model.decoder
    outputs, last = model.encoder(model.words(ids).unsqueeze(0))
    states, state = outputs[0], decoder.initial(torch.cat(list(last), -1))[0]
    read = torch.zeros(2 * NETWORK.hidden, dtype=torch.float64)
    cell = torch.nn.GRUCell(decoder.gru.input_size, NETWORK.hidden).double()
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in decoder.gru.state_dict().items()})
    found = []
    for word in words:
        vector = model.words.weight[UNKNOWN if word >= VOCABULARY else word]
        state = cell(torch.cat([vector, read]).unsqueeze(0), state.unsqueeze(0))[0]
        scores = [decoder.score(torch.tanh(decoder.key(one) + decoder.query(state))) for one in states]
        weights = torch.cat(scores).softmax(0)
        read = sum(weight * one for weight, one in zip(weights, states, strict=True))
        told = torch.cat([state, read])
        gate = torch.sigmoid(decoder.generates(torch.cat([told, vector])))
        mixture = torch.cat([gate * decoder.output(told).softmax(0), torch.zeros(2)])
        for place in range(length):
            number = -1 if batch.unknown is None else int(batch.unknown[row, place])
            mixture[VOCABULARY + number if number >= 0 else ids[place]] += (1 - gate[0]) * weights[place]
        found.append(mixture)
    return torch.stack(found)


def steps_of(model, batch):
    first, source = model._encode(batch, generator())
    return PointerSteps(model.decoder, model.words, first, *model._told_apart(batch, source))


@torch.no_grad()
@pytest.mark.parametrize("unknown", [True, False])
def test_probabilities_are_the_mixture_computed_by_hand_and_sum_to_one(unknown):
    model, batch = made(), copying_batch(unknown=unknown)
    words = [2, 7, VOCABULARY + 1 if unknown else 5, 9]
    steps = steps_of(model, batch)
    told = torch.stack([steps.next(torch.full((len(batch),), word)) for word in words], 1).exp()
    assert_close(told.sum(-1), torch.ones(len(batch), len(words), dtype=torch.float64))
    for row in range(len(batch)):
        expected = by_hand(model, batch, row, words)
        assert_close(told[row], expected[:, : told.shape[-1]])


@torch.no_grad()
def test_the_loss_is_the_mixtures_by_a_loop_in_float64_where_unknown_words_are_one():
    model, batch = made(), copying_batch(6)
    batch.response.targets[1, 0] = UNKNOWN
    batch.response.targets[2, 0] = batch.context.ids[2, 0]
    nll = model.likelihood(batch, generator()).nll
    blind = replace(batch, unknown=None)
    for row, length in enumerate(batch.response.lengths.tolist()):
        probabilities = by_hand(model, blind, row, batch.response.inputs[row, :length].tolist())
        targets = batch.response.targets[row, :length].tolist()
        expected = -sum(math.log(p[target]) for p, target in zip(probabilities, targets, strict=True))
        assert float(nll[row]) == pytest.approx(expected, rel=1e-12)


def test_the_gradient_is_that_of_the_loss_where_nothing_could_be_copied():
    model, batch = made(), make_batch(3)
    batch.response.targets[:] = 29
    batch.context.ids[:] = 7
    loss = model._nll(batch, generator()).sum()
    bias = model.decoder.generates.bias
    [slope] = torch.autograd.grad(loss, bias)
    with torch.no_grad():
        losses = []
        for step in (1e-5, -2e-5):
            bias += step
            losses.append(float(model._nll(batch, generator()).sum()))
    assert float(slope) == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("decode", [Greedy(SmallUnits(None).ids, 5), Beam(SmallUnits(None).ids, 3, 5)])
def test_a_certain_pointer_writes_unknown_words_of_its_context_and_nothing_else(decode):
    model, batch = made(), copying_batch()
    model.decoder.generates.weight.zero_()
    model.decoder.generates.bias.fill_(-30.0)  # hardly ever generates
    batch.context.ids[batch.unknown < 0] = 11
    tokens = model.generate(batch, decode, "none", generator()).tokens
    for row, words in enumerate(tokens.tolist()):
        known = {11, 0} | {VOCABULARY + n for n in batch.unknown[row].tolist() if n >= 0}
        assert set(words) <= known
    assert (tokens >= VOCABULARY).any()


@torch.no_grad()
def test_the_likelihood_of_what_is_decoded_is_that_of_teacher_forcing():
    model, batch = made(), copying_batch(unknown=False)
    tokens = batch.response.targets
    nll = model.likelihood(batch, generator()).nll
    assert_close(-log_probability(steps_of(model, batch), tokens, model.ids), nll)


def test_given_vectors_are_where_words_start_and_without_them_words_are_as_wide_as_the_grus():
    vectors = np.random.default_rng(0).normal(size=(VOCABULARY, 4)).astype(np.float32)
    assert_close(made(vectors).words.weight.detach(), torch.from_numpy(vectors).double())
    assert made().words.weight.shape == (VOCABULARY, NETWORK.hidden)
    assert float(made().words.weight.detach().abs().max()) <= 0.6


@pytest.mark.parametrize("system", [POINTER, SCHEMA])
def test_every_parameter_is_trained(system):
    model, batch = made(system=system).train(), with_keywords(copying_batch())
    model.objective(batch, 1.0, generator()).loss.backward()
    assert [name for name, value in model.named_parameters() if value.grad is None] == []


# --- with a schema ---------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_words_and_schema_are_fused_as_a_loop_over_their_pairs_does():
    model, batch = made(system=SCHEMA), with_keywords(make_batch(3))
    _, source = model._encode(batch, generator())
    fusion = model.fusion
    for row in range(3):
        words = model.encoder(model.words(batch.context.ids[row, : batch.context.lengths[row]]).unsqueeze(0))[0][0]
        number = max(1, int((batch.keywords[row] != 0).sum()))
        schema = model.schema_encoder(model.words(batch.keywords[row, :number]).unsqueeze(0))[0][0]
        scores = torch.stack(
            [
                torch.cat([fusion.score(torch.tanh(fusion.of_words(x) + fusion.of_schema(k))) for k in schema])
                for x in words
            ]
        )
        fused = [
            [one + sum(p * two for p, two in zip(own.softmax(0), others, strict=True)) for one, own in pairs]
            for others, pairs in (
                (schema, zip(words, scores, strict=True)),
                (words, zip(schema, scores.T, strict=True)),
            )
        ]
        assert_close(source.words.states[row, : len(words)], torch.stack(fused[0]))
        width = batch.context.ids.shape[1]
        assert_close(source.words.states[row, width : width + number], torch.stack(fused[1]))


@torch.no_grad()
def test_a_keyword_is_copied_unknown_words_of_the_context_too_and_padding_never():
    model, batch = made(system=SCHEMA), with_keywords(copying_batch())
    steps = steps_of(model, batch)
    told = steps.next(torch.full((len(batch),), 2)).exp()
    assert_close(told.sum(1), torch.ones(len(batch), dtype=torch.float64))
    model.decoder.generates.weight.zero_()
    model.decoder.generates.bias.fill_(-30.0)
    copied = steps_of(model, batch).next(torch.full((len(batch),), 2)).exp()
    for row in range(len(batch)):
        length = int(batch.context.lengths[row])
        known = batch.context.ids[row, :length][batch.unknown[row, :length] < 0].tolist()
        own = {*known, *batch.keywords[row].tolist()} - {0}
        own |= {VOCABULARY + number for number in batch.unknown[row, :length].tolist() if number >= 0}
        assert {word for word, p in enumerate(copied[row].tolist()) if p > 1e-9} == own


@torch.no_grad()
def test_padding_of_contexts_and_keywords_changes_no_likelihood():
    model, batch = made(system=SCHEMA), with_keywords(make_batch(5))
    context = replace(batch.context, ids=torch.nn.functional.pad(batch.context.ids, (0, 3)))
    wider = replace(batch, context=context, keywords=torch.nn.functional.pad(batch.keywords, (0, 2)))
    assert_close(model.likelihood(wider, generator()).nll, model.likelihood(batch, generator()).nll)
