"""RL-Persona: policy gradient against enumeration, rewards counted by hand, phases in order."""

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline_lib.config.decoding import GreedySettings
from pipeline_lib.config.loading import read_run
from pipeline_lib.decoding.greedy import strategy
from pipeline_lib.decoding.sampling import drawn_words
from pipeline_lib.examples.batch import Batch, Response
from pipeline_lib.models.persona_policy import REWARDS, policy_loss
from unit.model_fixtures import generator
from unit.models.test_models_persona import batch, made, tiled

ROOT = Path(__file__).parents[3]


def test_the_sampled_gradient_averages_to_that_of_the_enumerated_expected_reward():
    """Four words, two steps: the second word's logits depend on the first word."""
    torch.manual_seed(1)
    first, second = torch.randn(4).double().requires_grad_(), torch.randn(4, 4).double().requires_grad_()
    reward = torch.randn(4, 4).double()
    expected = sum(
        first.softmax(0)[a] * second[a].softmax(0)[b] * reward[a, b] for a, b in itertools.product(range(4), repeat=2)
    )
    wanted = torch.cat([grad.flatten() for grad in torch.autograd.grad(-expected, (first, second))])

    n, noise = 200_000, torch.rand(200_000, 2, generator=generator())
    a = drawn_words(first.detach().expand(n, -1), noise[:, 0])
    b = drawn_words(second.detach()[a], noise[:, 1])
    log_p = first.log_softmax(0)[a] + second.log_softmax(1)[a, b]
    for baseline in (0.0, 0.7):  # a baseline changes the variance, not the mean
        loss = policy_loss(log_p, reward[a, b] - baseline)
        grads = torch.autograd.grad(loss, (first, second), retain_graph=True)
        found = torch.cat([grad.flatten() for grad in grads])
        torch.testing.assert_close(found, wanted, rtol=0, atol=6 * 2.5 / math.sqrt(n))


def test_rewards_are_those_counted_by_hand():
    model, given = made("rl_persona").eval(), batch(3)
    model.language_objective(given, 1.0, generator())
    targets = torch.tensor([[7, 9, 3, 0], [3, 0, 0, 0], [8, 8, 8, 8]])
    inputs = torch.cat([torch.full((3, 1), 2), targets[:, :-1]], 1)
    response = Response(inputs, targets, torch.tensor([3, 1, 4]))
    with torch.no_grad():
        found = model.rewards(given, response)
        nll = model.language(model.words(inputs), targets, response.lengths)
    words = [[7, 9], [], [8] * 4]
    for i, own in enumerate(words):
        said = [set(row[:n].tolist()) for row, n in zip(given.response.targets, given.response.lengths, strict=True)]
        rarity = [math.log(4 / (1 + sum(word in one for one in said))) for word in own]
        assert found[i, 1].item() == pytest.approx(sum(rarity) / max(1, len(own)))
        assert found[i, 2].item() == pytest.approx(-nll[i].item() / response.lengths[i].item())
        context = given.context.ids[i, : given.context.lengths[i]]
        if own:
            mean = model.words.weight[own].mean(0), model.words.weight[context].mean(0)
            assert found[i, 0].item() == pytest.approx(torch.cosine_similarity(*mean, dim=0).item())


def test_the_loss_is_half_cross_entropy_and_half_log_p_by_the_standardised_lead_over_the_greedy_response():
    model, given = made("rl_persona").eval(), batch(5)  # without dropout: only responses are drawn
    model.language_objective(given, 1.0, generator())
    variance = np.ones(3)
    for _ in range(3):  # running variances: of the sampled responses, ninety-nine parts of what they were
        with torch.no_grad():
            sampled, greedy = model.respond(model._begin(given, generator()), generator())
            own, baseline = (model.rewards(given, response).numpy() for response in (sampled, greedy))
            log_p = -model._nll(replace(given, response=sampled), generator()).numpy()
            nll = model._nll(given, generator()).numpy()
        variance = 0.99 * variance + 0.01 * own.var(0)
        lead = ((own - baseline) / np.sqrt(variance)).sum(1)
        assert np.abs(lead).max() > 0.1
        found = model.policy_objective(given, 1.0, generator())
        assert found.loss.item() == pytest.approx((nll.mean() - (lead * log_p).mean()) / 2)
        np.testing.assert_allclose(model.moments.numpy(), variance)
        for name, reward in zip(REWARDS, own.T, strict=True):
            np.testing.assert_allclose(found.log[f"reward_{name}"].numpy(), reward)


def test_a_trial_measures_the_rewards_of_greedy_responses():
    model, given = made("rl_persona").eval(), batch(5)
    model.language_objective(given, 1.0, generator())
    with torch.no_grad():
        tried = model.trial(given, generator())
        _, greedy = model.respond(model._begin(given, generator()), generator())
        rewards = model.rewards(given, greedy)
    assert torch.equal(tried.words.ids, greedy.targets)
    assert tried.words.lengths.tolist() == [sum(word not in (0, 3) for word in row) for row in greedy.targets.tolist()]
    assert list(tried.measures) == [f"reward_{name}" for name in REWARDS]
    assert torch.equal(torch.stack(list(tried.measures.values()), 1), rewards)


def test_samples_follow_the_model_and_end_where_they_end():
    model = made("rl_persona").eval()
    one = batch(1)
    many = tiled(one, 6000)
    with torch.no_grad():
        sampled, greedy = model.respond(model._begin(many, generator()), generator())
        log_p = -model._nll(Batch(sampled, many.context, profile=many.profile), generator())
        first, context = model._encode(one.context, generator())
        _, told = model.decoder.step(model.words.weight[[2]], first, model._beside(one, generator()), context)
        logits = model.decoder.output(told)[0]
        logits[[0, 2]] = -torch.inf
    shares = logits.softmax(0)
    counts = torch.bincount(sampled.targets[:, 0], minlength=20) / 6000
    assert ((counts - shares).abs() < 4.5 * (shares * (1 - shares) / 6000).sqrt() + 1e-9).all()
    assert torch.isfinite(log_p).all()
    decode = strategy(GreedySettings(max_length=model.longest), model.ids, [generator()])
    expected = model.generate(one, decode, "none", generator()).tokens[0].tolist()
    assert greedy.targets[0, : len(expected)].tolist() == expected
    assert (greedy.targets == greedy.targets[0]).all()
    for row, length in zip(sampled.targets[:200].tolist(), sampled.lengths[:200].tolist(), strict=True):
        assert all(word == 0 for word in row[length:])
        assert 3 not in row[: length - 1]


@pytest.mark.parametrize("preset", ["small", "southpark", "meld", "published"])
def test_the_presets_validate_the_last_weights_before_rewards_are_sought(preset):
    config = read_run(ROOT, {"paper": "persona_wae", "preset": preset})
    training = config.training_of(config.corpora[0], "rl_persona")
    general = config.systems["rl_persona"].options["general"]
    assert training.max_steps == pytest.approx(general / 0.7)  # three tenths of the rounds are left
    assert (general % training.validate_every, general // training.validate_every) == (0, 7)


def test_rewards_are_sought_after_the_language_is_learnt_and_never_move_the_language_model():
    phases = {phase.name: phase for phase in made("rl_persona").phases()}
    assert [(phase.since, phase.until) for phase in phases.values()] == [(0, 2), (0, 2), (2, None)]
    owned = {id(parameter) for parameter in phases["language"].parameters}
    assert not owned & {id(parameter) for parameter in phases["policy"].shared}
