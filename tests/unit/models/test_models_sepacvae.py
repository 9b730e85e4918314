"""SepaCVAE with each value of each option against loops over single copies, all with gradient (tests/reference)."""

import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from reference.comparison import assert_same, assert_same_objective
from reference.examples import Dictation, examples_of, leaves, normal
from reference.responders import decoding_scores
from reference.separation import Separated
from unit.model_fixtures import GROUPS, NETWORK, RELEASED, VOCABULARY, generator, make_dataset, make_model

B, LATENT, WEIGHT = 6, NETWORK.latent, 0.3
ALONE = [
    {},
    {"noise": "shared"},
    {"kl_weight": "1/N"},
    {"kl_annealing": False},
    {"relationship": "released"},
    {"relationship": "none"},
    {"generated_words": "logits"},
    {"marks_on_padding": True},
    {"classifier": False},
    {"blocking": False},
    {"winner": "random"},
]
TOGETHER = [
    RELEASED,
    {"relationship": "none", "classifier": False},
    {"blocking": False, "generated_words": "logits", "noise": "shared"},
]
VALUES_OF_Z = [{}, {"noise": "shared"}, {"marks_on_padding": True}]  # the other options concern training or responses


def named(options) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.items()) or "defaults"


def setting(options, seed: int = 0):
    """Return a model, a batch, its examples and the reference of the model."""
    model, batch = make_model("sepacvae", options=options), make_dataset(B, seed, longest=5).batch(np.arange(B))
    examples = examples_of(batch)
    reference = Separated(leaves(model), GROUPS, max(len(example.context) for example in examples), options)
    return model, batch, examples, reference


def noise_of(options, replayed: torch.Generator) -> torch.Tensor:
    return normal(replayed, B, 1 if options.get("noise") == "shared" else GROUPS, LATENT)


@pytest.mark.parametrize("options", ALONE + TOGETHER, ids=named)
def test_the_objective_and_every_gradient_are_those_of_loops_over_all_copies(options):
    model, batch, examples, reference = setting(options)
    found = model.objective(batch, WEIGHT, generator())
    replayed = generator()
    noise = noise_of(options, replayed)
    winners = torch.randint(GROUPS, (B,), generator=replayed).tolist()
    loss, log = reference.loss(examples, noise, WEIGHT, winners)
    assert_same_objective(model, found, loss, log, reference.weights)


@torch.no_grad()
@pytest.mark.parametrize("options", VALUES_OF_Z, ids=named)
def test_likelihoods_are_those_of_the_best_copy_and_the_bound_that_of_all(options):
    model, batch, examples, reference = setting(options)
    every = [reference.copies(*pair) for pair in zip(examples, noise_of(options, generator()), strict=True)]
    best = [reference.best(copies) for copies in every]
    expected = [copies[j] for copies, j in zip(every, best, strict=True)]
    found = model.likelihood(batch, generator())
    assert found.group.tolist() == best
    assert_same(found.nll, [each.terms["nll"] for each in expected])
    assert_same(found.kl, [each.kl for each in expected])
    assert_same(found.kl_units, [each.kl_units for each in expected])
    assert_same(found.posterior_mean, [each.posterior_mean for each in expected])
    assert_same(found.condition, [each.condition for each in expected])
    assert_same(found.bound, [reference.bound(copies) for copies in every])
    assert found.group_nats.tolist() == pytest.approx([math.log(GROUPS)] * B)


@torch.no_grad()
@pytest.mark.parametrize("options", VALUES_OF_Z, ids=named)
def test_the_importance_estimate_is_that_of_loops_over_groups_and_draws(options):
    model, batch, examples, reference = setting(options)
    replayed = generator()
    noises = torch.stack([normal(replayed, B * GROUPS, LATENT).view(B, GROUPS, LATENT) for _ in range(2)], 1)
    expected = [reference.importance_nll(*pair) for pair in zip(examples, noises, strict=True)]
    assert_same(model.importance_nll(batch, generator(), 2), expected)


@torch.no_grad()
@pytest.mark.parametrize("options", VALUES_OF_Z, ids=named)
def test_the_use_of_z_is_what_the_best_copy_loses_by_the_posterior_of_another_response(options):
    model, batch, examples, reference = setting(options)
    _, others, other_examples, _ = setting(options, seed=1)
    noise = noise_of(options, generator())
    expected = [reference.foreign_loss(*each) for each in zip(examples, other_examples, noise, strict=True)]
    assert_same(model.latent_use(batch, others.response, generator()), expected)


def responses(rows: int) -> torch.Tensor:
    words = torch.randint(4, VOCABULARY, (rows, 4), generator=generator(1))
    words[0, 0], words[GROUPS + 1, 2] = 3, 3  # the first response is empty, another ends early
    return words


def assert_same_scores(decode: Dictation, row: int, reference: Separated, condition: torch.Tensor) -> None:
    expected = decoding_scores(reference.weights, decode.read[row].tolist(), condition)
    for scores, wanted in zip(decode.scores, expected, strict=True):
        assert_close(scores[row], wanted.float())


@torch.no_grad()
@pytest.mark.parametrize("options", [{}, {"marks_on_padding": True}], ids=named)
def test_decoding_by_the_oracle_reads_a_draw_of_the_prior_of_the_given_group(options):
    model, batch, examples, reference = setting(options)
    decode, noise = Dictation(responses(B)), normal(generator(), B, LATENT)
    found = model.generate(batch, decode, "oracle", generator())
    assert_close(found.tokens, decode.words)
    assert found.group.tolist() == [example.group for example in examples]
    for row, example in enumerate(examples):
        assert_same_scores(decode, row, reference, reference.decoding(example, example.group, noise[row]))


@torch.no_grad()
@pytest.mark.parametrize("options", [{}, {"marks_on_padding": True}, {"similarity": "inner"}], ids=named)
def test_the_test_rule_decodes_a_draw_of_every_groups_prior_and_takes_the_response_closest_to_the_context(options):
    model, batch, examples, reference = setting(options)
    decode, noise = Dictation(responses(B * GROUPS)), normal(generator(), B * GROUPS, LATENT)
    found = model.generate(batch, decode, "context", generator())
    closeness = model.closeness(batch, decode.words)
    for row, example in enumerate(examples):
        expected = []
        for j in range(GROUPS):
            copy = row * GROUPS + j
            assert_same_scores(decode, copy, reference, reference.decoding(example, j, noise[copy]))
            words = decode.words[copy].tolist()
            expected.append(reference.closeness(example, words[: words.index(3)] if 3 in words else words))
        assert closeness[row].tolist() == pytest.approx(expected, rel=1e-9)
        assert int(found.group[row]) == expected.index(max(expected))
        assert_close(found.tokens[row], decode.words[row * GROUPS + int(found.group[row])])
