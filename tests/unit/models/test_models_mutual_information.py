"""Mutual information of sentences and codes: against a closed form and a loop, and of which systems it is measured."""

import math

import numpy as np
import pytest
import torch

from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.config.networks import LanguageModel
from pipeline_lib.models.layers import mutual_information
from pipeline_lib.models.layers.distributions import Gaussian
from pipeline_lib.models.layers.mutual_information import information
from pipeline_lib.models.system import create
from pipeline_lib.responses.measured import measure
from pipeline_lib.training.validation import validate
from unit.model_fixtures import VOCABULARY, SmallUnits, generator, make_dataset, make_model

SIZES = LanguageModel(embedding=6, hidden=7, latent=3, initial_range=0.8)


def drawn(mean: torch.Tensor, log_variance: torch.Tensor) -> tuple[Gaussian, torch.Tensor]:
    posterior = Gaussian(mean, log_variance)
    return posterior, posterior.sample(torch.randn(mean.shape, generator=generator(), dtype=mean.dtype))


def by_loop(posterior: Gaussian, z: torch.Tensor, rows: list[int]) -> list[float]:
    def density(n: int, m: int) -> float:
        total = 1.0
        for x, mean, log_variance in zip(z[n], posterior.mean[m], posterior.log_variance[m], strict=True):
            variance = math.exp(log_variance)
            total *= math.exp(-((float(x) - float(mean)) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
        return total

    return [math.log(density(n, n) / np.mean([density(n, m) for m in rows])) for n in rows]


@pytest.mark.parametrize("part", [3, 400])  # rows that are computed together
def test_it_is_the_log_ratio_of_the_densities_of_a_loop(monkeypatch, part):
    monkeypatch.setattr(mutual_information, "_ROWS", part)
    random = generator(3)
    posterior, z = drawn(torch.randn(17, 2, generator=random).double(), torch.randn(17, 2, generator=random).double())
    assert information(posterior, z).tolist() == pytest.approx(by_loop(posterior, z, list(range(17))))


def test_many_sentences_are_held_against_those_of_their_own_part(monkeypatch):
    monkeypatch.setattr(mutual_information, "_TOGETHER", 4)
    posterior, z = drawn(torch.randn(9, 2, generator=generator(3)).double(), torch.zeros(9, 2).double())
    found = information(posterior, z)
    for first in range(3):  # as few parts as hold four at most
        rows = list(range(first, 9, 3))
        assert found[rows].tolist() == pytest.approx(by_loop(posterior, z, rows))


def test_of_gaussian_codes_it_is_the_closed_form():
    """x ~ N(0, 1), z = a x + noise of variance v: I = log(1 + a² / v) / 2 in each dimension."""
    n, slope, variance = 4_000, 1.5, 0.4
    mean = slope * torch.randn(n, 2, generator=generator(1)).double()
    posterior, z = drawn(mean, torch.full((n, 2), math.log(variance)).double())
    found = information(posterior, z)
    exact = 2 * 0.5 * math.log(1 + slope**2 / variance)
    assert abs(float(found.mean()) - exact) < 3 * float(found.std()) / math.sqrt(n)


def test_codes_that_tell_nothing_have_none_and_no_value_exceeds_the_log_of_the_number():
    same, z = drawn(torch.ones(50, 3).double(), torch.zeros(50, 3).double())
    assert information(same, z).tolist() == pytest.approx([0.0] * 50, abs=1e-12)
    apart, z = drawn(100.0 * torch.arange(50.0).double().view(50, 1), torch.full((50, 1), -4.0).double())
    assert information(apart, z).tolist() == pytest.approx([math.log(50)] * 50)


def test_it_is_measured_of_a_sentence_vae_with_the_codes_behind_its_likelihood_and_of_no_other():
    torch.manual_seed(3)
    model = create("pipeline_lib.models.sentence_vae:SentenceVAE", {}, SmallUnits(None, VOCABULARY), SIZES).eval()
    data = make_dataset(11)
    with torch.no_grad():
        found = measure(model, data, list(data.by_length(4)), 0, seed=2, uses=False).nats["mutual_information"]
        codes = model.encode(data.batch(np.arange(11)))
    assert found.dtype == np.float32
    assert found.max() <= math.log(11) + 1e-5
    averaged = [information(*drawn(codes.mean, codes.log_variance)).mean()]
    assert float(found.mean()) == pytest.approx(float(averaged[0]), abs=0.5)  # other draws, the same posteriors
    with torch.no_grad():
        values = validate(model, data, 4, 2, None, Ranks())
    assert values["mutual_information"] == pytest.approx(float(found.mean()), abs=0.5)
    assert 0 < values["mutual_information"] <= values["kl"] + 0.5
    for other in ("seq2seq", "cvae"):
        model = make_model(other).eval()
        assert "mutual_information" not in validate(model, data, 4, 2, None, Ranks())
        with torch.no_grad():
            assert "mutual_information" not in measure(model, data, list(data.by_length(4)), 0, seed=2, uses=False).nats
