"""Seq2Seq, CVAE(+BOW) and ClusterCVAE against scalar loops over single examples (tests/reference)."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from pipeline_lib.models.cvae import PriorNetwork
from reference.comparison import assert_same, assert_same_objective
from reference.examples import Dictation, average, examples_of, leaves, normal
from reference.layers import cosine
from reference.responders import ConditionalVAE, decoding_scores, encoding, seq2seq_nll, vectors_of
from unit.model_fixtures import GROUPS, NETWORK, VOCABULARY, generator, make_dataset, make_model

CVAES = ["cvae", "cvae_bow", "k_cvae_bow"]
B, LATENT, WEIGHT = 6, NETWORK.latent, 0.3


def batch_of(seed: int = 0):
    return make_dataset(B, seed, longest=5).batch(np.arange(B))


@pytest.mark.parametrize("system", ["seq2seq", *CVAES])
def test_the_objective_and_every_gradient_are_those_of_loops_over_single_examples(system):
    model, batch = make_model(system), batch_of()
    weights, examples = leaves(model), examples_of(batch)
    found = model.objective(batch, WEIGHT, generator())
    if system == "seq2seq":
        nll = [seq2seq_nll(weights, example) for example in examples]
        loss, log = average(nll), {"nll": nll}
    else:
        loss, log = ConditionalVAE(weights).loss(examples, normal(generator(), B, LATENT), WEIGHT)
    assert_same_objective(model, found, loss, log, weights)


@torch.no_grad()
def test_the_likelihood_of_a_system_without_a_latent_variable_is_exact():
    model, batch = make_model("seq2seq"), batch_of()
    nll = [seq2seq_nll(leaves(model), example) for example in examples_of(batch)]
    found = model.likelihood(batch, generator())
    for values in (found.nll, found.bound, model.importance_nll(batch, generator(), 7)):
        assert_same(values, nll)
    assert found.kl.tolist() == [0.0] * B


@torch.no_grad()
@pytest.mark.parametrize("system", CVAES)
def test_likelihoods_are_those_of_loops_over_single_examples(system):
    model, batch = make_model(system), batch_of()
    reference = ConditionalVAE(leaves(model))
    noise = normal(generator(), B, LATENT)
    expected = [reference.explain(*pair) for pair in zip(examples_of(batch), noise, strict=True)]
    found = model.likelihood(batch, generator())
    assert_same(found.nll, [each.terms["nll"] for each in expected])
    assert_same(found.kl, [each.kl for each in expected])
    assert_same(found.kl_units, [each.kl_units for each in expected])
    assert_same(found.bound, [each.reconstruction + each.kl for each in expected])
    assert_same(found.posterior_mean, [each.posterior_mean for each in expected])
    assert_same(found.condition, [each.condition for each in expected])
    if system == "k_cvae_bow":
        assert_same(found.group_nats, [each.terms["group_nll"] for each in expected])
        assert found.group.tolist() == [example.group for example in examples_of(batch)]
    else:
        assert found.group_nats is None


@torch.no_grad()
@pytest.mark.parametrize("system", CVAES)
def test_the_importance_estimate_is_that_of_loops_over_single_draws(system):
    model, batch = make_model(system), batch_of()
    replayed, reference = generator(), ConditionalVAE(leaves(model))
    noises = torch.stack([normal(replayed, B, LATENT) for _ in range(3)], 1)
    expected = [reference.importance_nll(*pair) for pair in zip(examples_of(batch), noises, strict=True)]
    assert_same(model.importance_nll(batch, generator(), 3), expected)


@torch.no_grad()
@pytest.mark.parametrize("system", CVAES)
def test_the_use_of_z_is_what_the_posterior_of_another_response_loses_with_the_same_noise(system):
    model, batch, others = make_model(system), batch_of(), batch_of(seed=1)
    reference, noise = ConditionalVAE(leaves(model)), normal(generator(), B, LATENT)
    expected = [
        reference.foreign_loss(*each) for each in zip(examples_of(batch), examples_of(others), noise, strict=True)
    ]
    assert_same(model.latent_use(batch, others.response, generator()), expected)


@torch.no_grad()
@pytest.mark.parametrize("system", CVAES)
def test_decoding_reads_a_draw_of_the_prior_and_the_expected_group(system):
    model, batch = make_model(system), batch_of()
    reference, noise = ConditionalVAE(leaves(model)), normal(generator(), B, LATENT)
    decode = Dictation(torch.randint(4, VOCABULARY, (B, 4), generator=generator(1)))
    found = model.generate(batch, decode, "none", generator())
    assert_close(found.tokens, decode.words)
    for row, (example, each) in enumerate(zip(examples_of(batch), noise, strict=True)):
        condition, beside, group = reference.decoding(example, each)
        expected = decoding_scores(reference.weights, decode.read[row].tolist(), condition, beside)
        for scores, wanted in zip(decode.scores, expected, strict=True):
            assert_close(scores[row], wanted.float())
        assert (None if found.group is None else int(found.group[row])) == group


@torch.no_grad()
def test_closeness_is_the_cosine_of_encodings_and_minus_infinity_for_an_empty_response():
    model, batch, k = make_model("cvae"), batch_of(), 3
    words = torch.randint(4, VOCABULARY, (B * k, 4), generator=generator())
    words[0, 0], words[4, 2] = model.ids.end, model.ids.end
    found, weights = model.closeness(batch, words), leaves(model)
    for row, example in enumerate(examples_of(batch)):
        context = encoding(weights, vectors_of(weights, example.context))
        for j, response in enumerate(words[row * k : (row + 1) * k].tolist()):
            own = response[: response.index(model.ids.end)] if model.ids.end in response else response
            expected = float(cosine(encoding(weights, vectors_of(weights, own)), context)) if own else -torch.inf
            assert float(found[row, j]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("option", ["groups", "group_size", "predictor_hidden"])
def test_the_sizes_of_the_knowledge_networks_are_those_of_the_options(option):
    sizes = {"groups": GROUPS, "group_size": 5, "predictor_hidden": 6} | {option: 9}
    shapes = {name: tuple(value.shape) for name, value in make_model("k_cvae_bow", options=sizes).state_dict().items()}
    assert shapes["group_embedding.weight"] == (sizes["groups"], sizes["group_size"])
    assert shapes["group_predictor.2.weight"] == (sizes["groups"], sizes["predictor_hidden"])


def shapes_of(model) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in model.state_dict().items() if name.endswith("weight")}


def test_every_network_has_the_size_that_the_settings_give_it():
    shapes = shapes_of(make_model("cvae_bow"))  # encodings of 2 * 7, z of 5, 16-dimensional words, 30 of them
    assert shapes["recognition.weight"] == (10, 28)
    assert (shapes["prior.0.weight"], shapes["prior.2.weight"]) == ((10, 14), (10, 10))
    assert shapes["decoder.initial.weight"] == (14, 19)
    assert shapes["decoder.output.weight"] == (30, 7)
    assert (shapes["bow.network.0.weight"], shapes["bow.network.2.weight"]) == ((11, 19), (30, 11))
    gru = make_model("cvae").state_dict()
    assert tuple(gru["encoder.gru.weight_ih_l0_reverse"].shape) == (21, 16)
    assert [tuple(gru[f"decoder.gru.weight_ih_l{layer}"].shape) for layer in (0, 1)] == [(21, 16), (21, 7)]
    assert "decoder.gru.weight_ih_l2" not in gru


def test_the_priors_hidden_layer_is_as_wide_as_two_codes_or_as_the_settings_say_at_least():
    assert PriorNetwork(14, 5, 9)[0].out_features == 10
    assert PriorNetwork(14, 5, 12)[0].out_features == 12
