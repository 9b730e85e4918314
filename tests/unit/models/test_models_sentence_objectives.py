"""The RNNLM and the sentence VAE, with words and components dropped, against loops over single sentences."""

import numpy as np
import pytest
import torch

from pipeline_lib.config.networks import LanguageModel
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.models.system import System, create
from pipeline_lib.text.ragged import Ragged
from reference import gaussians
from reference.comparison import assert_same, assert_same_objective
from reference.examples import average, examples_of, leaves, normal
from reference.sentences import Noise, Sentences, uniform
from unit.model_fixtures import VOCABULARY, SmallUnits, generator

NETWORK = LanguageModel(embedding=6, hidden=7, latent=5, initial_range=0.5)
B, LATENT, WEIGHT = 5, NETWORK.latent, 0.3
STANDARD = gaussians.standard(LATENT)
FORMS = [("RNNLM", False), ("SentenceVAE", False), ("SentenceVAE", True)]


def model_of(name: str, keep: float, z_input: bool, dropout: float = 0.0) -> System:
    torch.manual_seed(3)
    network = NETWORK.model_copy(update={"z_input": z_input, "dropout": dropout})
    path = f"pipeline_lib.models.sentence_vae:{name}"
    return create(path, {"keep": keep}, SmallUnits(None, VOCABULARY), network).double()


def batch_of(seed: int = 0):
    random = np.random.default_rng(seed)
    starts = np.concatenate([[0], random.integers(1, 6, B).cumsum()])
    nothing = Ragged(np.empty(0, np.int32), np.zeros(B + 1, np.int64))
    sentences = Ragged(random.integers(4, VOCABULARY, starts[-1]).astype(np.int32), starts)
    return ExampleDataset(nothing, sentences).batch(np.arange(B))


def dropped(name: str, keep: float, rate: float, z_input: bool, steps: int, replayed: torch.Generator) -> Noise:
    """Draw as a decoder in training does; without words or z, all sentences share one row of states."""
    words = uniform(replayed, B, steps) if 0 < keep < 1 else None
    if rate == 0:
        return Noise(words, None, None)
    rows = 1 if name == "RNNLM" and keep == 0 else B
    width = NETWORK.embedding + (LATENT if z_input else 0)
    return Noise(words, uniform(replayed, rows, steps, width), uniform(replayed, rows, steps, NETWORK.hidden))


@pytest.mark.parametrize("rate", [0.0, 0.3])
@pytest.mark.parametrize("keep", [1.0, 0.5, 0.0])
@pytest.mark.parametrize(("name", "z_input"), FORMS)
def test_the_objective_and_every_gradient_are_those_of_loops_over_single_sentences(name, z_input, keep, rate):
    model, batch = model_of(name, keep, z_input, rate).train(), batch_of()
    found = model.objective(batch, WEIGHT, generator())
    weights, examples, replayed = leaves(model), examples_of(batch), generator()
    reference = Sentences(weights, keep, z_input, rate)
    codes = normal(replayed, B, LATENT) if name == "SentenceVAE" else [None] * B
    noise = dropped(name, keep, rate, z_input, batch.response.inputs.shape[1], replayed)
    log = {"nll": [], "kl": []} if name == "SentenceVAE" else {"nll": []}
    for row, example in enumerate(examples):
        z = None
        if name == "SentenceVAE":
            posterior = reference.posterior(example)
            z = gaussians.draw(posterior, codes[row])
            log["kl"].append(gaussians.kl_of_units(posterior, STANDARD).sum())
        log["nll"].append(torch.stack(reference.token_nll(example, z, noise.of(row))).sum())
    loss = average(log["nll"]) + (WEIGHT * average(log["kl"]) if "kl" in log else 0)
    assert_same_objective(model, found, loss, log, weights)


@torch.no_grad()
@pytest.mark.parametrize("keep", [1.0, 0.5, 0.0])
@pytest.mark.parametrize(("name", "z_input"), FORMS)
def test_likelihoods_drop_nothing_and_are_those_of_loops_over_single_sentences(name, z_input, keep):
    model, batch = model_of(name, keep, z_input, dropout=0.3).eval(), batch_of()
    found = model.likelihood(batch, generator())
    reference, codes = Sentences(leaves(model), keep, z_input), normal(generator(), B, LATENT)
    tokens, posteriors = [], []
    for row, example in enumerate(examples_of(batch)):
        z = None
        if name == "SentenceVAE":
            posteriors.append(reference.posterior(example))
            z = gaussians.draw(posteriors[-1], codes[row])
        tokens.append(reference.token_nll(example, z, Noise(None, None, None)))
    nll = [torch.stack(each).sum() for each in tokens]
    assert_same(found.nll, nll)
    assert_same(found.end, [each[-1] for each in tokens])
    if name == "RNNLM":
        assert_same(found.bound, nll)
        assert_same(model.importance_nll(batch, generator(), 3), nll)
        assert found.kl.tolist() == [0.0] * B
        return
    kl_units = [gaussians.kl_of_units(posterior, STANDARD) for posterior in posteriors]
    assert_same(found.kl_units, kl_units)
    assert_same(found.kl, [each.sum() for each in kl_units])
    assert_same(found.bound, [each + units.sum() for each, units in zip(nll, kl_units, strict=True)])
    assert_same(found.posterior_mean, [mean for mean, _ in posteriors])


@torch.no_grad()
@pytest.mark.parametrize("z_input", [False, True])
def test_the_importance_estimate_and_the_use_of_z_are_those_of_loops_over_single_draws(z_input):
    model, batch, others = model_of("SentenceVAE", 1.0, z_input).eval(), batch_of(), batch_of(seed=1)
    reference, examples, replayed = Sentences(leaves(model), 1.0, z_input), examples_of(batch), generator()

    def nll(example, posterior, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        z = gaussians.draw(posterior, noise)
        return z, torch.stack(reference.token_nll(example, z, Noise(None, None, None))).sum()

    noises = torch.stack([normal(replayed, B, LATENT) for _ in range(3)], 1)
    estimates, lost = [], []
    for example, other, draws in zip(examples, examples_of(others), noises, strict=True):
        posterior, log_weights = reference.posterior(example), []
        for noise in draws:
            z, explained = nll(example, posterior, noise)
            ratio = gaussians.log_density(STANDARD, z) - gaussians.log_density(posterior, z)
            log_weights.append(ratio - explained)
        estimates.append(-gaussians.log_mean_weight(log_weights))
        foreign = nll(example, reference.posterior(other), draws[0])[1]
        lost.append(foreign - nll(example, posterior, draws[0])[1])
    assert_same(model.importance_nll(batch, generator(), 3), estimates)
    assert_same(model.latent_use(batch, others.response, generator()), lost)
