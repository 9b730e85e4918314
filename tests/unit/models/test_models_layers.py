"""Encoder, decoder, Gaussian and bag of words against closed forms and one-example loops."""

import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from pipeline_lib.models.layers import projection
from pipeline_lib.models.layers.distributions import Gaussian, kl_divergence
from unit.model_fixtures import generator, make_batch, make_model


def gaussians(n: int = 4, z: int = 3) -> tuple[Gaussian, Gaussian]:
    torch.manual_seed(1)
    return Gaussian(torch.randn(n, z), torch.randn(n, z)), Gaussian(torch.randn(n, z), torch.randn(n, z))


def as_torch(gaussian: Gaussian) -> torch.distributions.Normal:
    return torch.distributions.Normal(gaussian.mean, (gaussian.log_variance / 2).exp())


def test_kl_equals_the_librarys_closed_form():
    q, p = gaussians()
    assert_close(kl_divergence(q, p), torch.distributions.kl_divergence(as_torch(q), as_torch(p)).sum(-1))


def test_kl_agrees_with_monte_carlo():
    q, p = gaussians(n=1)
    z = q.sample(torch.randn(400_000, 1, 3, generator=generator()))
    difference = q.log_density(z) - p.log_density(z)
    error = float(difference.std() / math.sqrt(len(z)))
    assert float(kl_divergence(q, p)) == pytest.approx(float(difference.mean()), abs=4 * error)


def test_kl_of_a_distribution_with_itself_is_zero():
    q, _ = gaussians()
    assert_close(kl_divergence(q, q), torch.zeros(4))


def test_log_density_equals_the_librarys():
    q, _ = gaussians()
    z = torch.randn(2, 4, 3, generator=generator())
    assert_close(q.log_density(z), as_torch(q).log_prob(z).sum(-1))


def test_an_encoding_does_not_depend_on_the_padding_beside_it():
    model, batch = make_model("cvae"), make_batch()
    together = model.encode_context(batch)
    for row, length in enumerate(batch.context.lengths.tolist()):
        alone = model.embed(batch.context.ids[row : row + 1, :length])
        expected = torch.cat([state for state in model.encoder.gru(alone)[1]], dim=-1)
        assert_close(together[row], expected[0])


@pytest.mark.parametrize("with_gradient", [True, False])
def test_reconstruction_sums_the_log_softmax_of_every_target_and_of_no_padding(with_gradient, monkeypatch):
    monkeypatch.setattr(projection, "_LOGITS_AT_ONCE", 0)
    monkeypatch.setattr(projection, "_SCORED_AT_ONCE", 0)
    monkeypatch.setattr(projection, "_FEWEST_ROWS", 4)  # so that it works in several stretches
    model, batch = make_model("seq2seq"), make_batch()
    with torch.set_grad_enabled(with_gradient):
        nll = model.likelihood(batch, generator()).nll
    context = model.encoder(model.embed(batch.context.ids), batch.context.lengths)
    hidden = model.decoder(model.embed(batch.response.inputs), context).detach()
    logits = model.decoder.output(hidden).detach().numpy()
    for row, length in enumerate(batch.response.lengths.tolist()):
        expected = sum(
            np.log(np.exp(logits[row, t]).sum()) - logits[row, t, int(batch.response.targets[row, t])]
            for t in range(length)
        )
        assert float(nll[row].detach()) == pytest.approx(expected, rel=1e-10)


def test_bag_of_words_sums_over_the_same_targets_as_the_reconstruction():
    model, batch = make_model("cvae_bow"), make_batch()
    condition = torch.randn(len(batch), 14 + 5, dtype=torch.float64, generator=generator())
    found = model.bow(condition, batch.response.targets, batch.response.lengths)
    scores = model.bow.network(condition).log_softmax(-1)
    expected = [
        -sum(scores[row, token] for token in batch.response.targets[row, :length].tolist())
        for row, length in enumerate(batch.response.lengths.tolist())
    ]
    assert_close(found, torch.stack(expected))


def test_token_likelihood_survives_logits_that_overflow_or_underflow_float32():
    model, batch = make_model("seq2seq").float(), make_batch()
    for shift in (200.0, -200.0):  # the same for every word: the likelihood must not notice
        with torch.no_grad():
            before = model.likelihood(batch, generator()).nll
            model.decoder.output.bias += shift
            after = model.likelihood(batch, generator()).nll
            model.decoder.output.bias -= shift
        assert_close(after, before, rtol=1e-4, atol=1e-3)
