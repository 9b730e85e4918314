"""What is measured of a model on a split, against one example at a time."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from pipeline_lib.compute.device import seeded
from pipeline_lib.config.networks import LanguageModel
from pipeline_lib.decoding.greedy import Greedy
from pipeline_lib.errors import PipelineError
from pipeline_lib.models.system import create
from pipeline_lib.responses.generate import _chosen
from pipeline_lib.responses.measured import measure
from unit.model_fixtures import VOCABULARY, SmallUnits, generator, make_batch, make_dataset, make_model

LATENT = ["cvae", "k_cvae_bow", "sepacvae"]


def measured(model, dataset, samples=2, batch_size=4, uses=True):
    with torch.no_grad():
        return measure(model, dataset, list(dataset.by_length(batch_size)), samples, seed=3, uses=uses)


def test_context_use_is_what_each_reference_loses_with_the_context_of_another_example():
    model, dataset = make_model("seq2seq"), make_dataset(9)
    found = measured(model, dataset)
    with torch.no_grad():
        loss = np.array(  # [i, j]: reference i after context j
            [
                [
                    float(model.likelihood(replace(dataset.batch(np.array([i])), context=other), generator()).nll)
                    for other in (dataset.batch(np.array([j])).context for j in range(9))
                ]
                for i in range(9)
            ]
        )
    gains = loss - loss.diagonal()[:, None]
    taken = np.abs(gains - found.nats["context_use"][:, None]).argmin(1)
    assert_close(gains[range(9), taken], found.nats["context_use"].astype(float), rtol=0, atol=1e-5)
    assert sorted(taken) == list(range(9))  # a permutation, in which none keeps its own
    assert all(taken != np.arange(9))


def test_a_response_to_another_context_has_the_keywords_of_that_context_and_its_own():
    own, other = make_batch(3), make_batch(3, seed=1)
    own = replace(own, keywords=torch.tensor([[1], [2], [3]]), nodes=torch.arange(9).view(3, 3))
    other = replace(other, keywords=torch.tensor([[4], [5], [6]]), nodes=10 + torch.arange(9).view(3, 3))
    found = own.after(other)
    assert found.nodes.tolist() == [[10, 1, 2], [13, 4, 5], [16, 7, 8]]
    assert found.keywords is other.keywords
    assert found.context is other.context
    assert found.response is own.response


@pytest.mark.parametrize("system", LATENT)
def test_a_model_that_reads_neither_context_nor_z_uses_neither(system):
    model = make_model(system)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith(("decoder.initial.weight", "prior", "recognition", "group_predictor")):
                parameter.zero_()
    found = measured(model, make_dataset(9))
    assert_close(found.nats["context_use"], np.zeros(9, found.nats["context_use"].dtype), rtol=0, atol=1e-6)
    assert_close(found.nats["z_use"], np.zeros(9, found.nats["z_use"].dtype), rtol=0, atol=1e-6)


@pytest.mark.parametrize("system", LATENT)
def test_z_use_is_positive_where_z_alone_tells_the_response(system):
    """The decoder starts from z, z is a sure function of the response, and it is told nothing else."""
    model, dataset = make_model(system), make_dataset(40)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for step in range(60):
        batch = dataset.batch(np.arange(40))
        optimiser.zero_grad()
        model.objective(batch, 0.0, generator(step)).loss.backward()
        optimiser.step()
    found = measured(model, dataset)
    assert found.nats["z_use"].mean() > 1


@pytest.mark.parametrize("system", ["seq2seq", *LATENT])
def test_no_measure_depends_on_what_else_is_measured(system):
    model, dataset = make_model(system), make_dataset(9)
    few, many, none = (measured(model, dataset, samples).nats for samples in (1, 5, 0))
    bare = measured(model, dataset, samples=0, uses=False).nats
    assert set(many) - set(none) == {"nll_importance"} & set(many)
    assert set(none) - set(bare) == {"context_use", "z_use"} & set(many)
    for name in set(many) - {"nll_importance"}:
        assert np.array_equal(few[name], many[name])
        assert np.array_equal(none[name], many[name])
        assert name not in bare or np.array_equal(bare[name], many[name])


def test_sentences_without_contexts_have_no_context_use_and_systems_without_z_no_z_use():
    assert "z_use" not in measured(make_model("seq2seq"), make_dataset(9)).nats
    sentences = make_dataset(9)
    sentences.context = replace(sentences.context, ids=sentences.context.ids[:0], offsets=np.zeros(10, np.int64))
    units, network = SmallUnits(None, VOCABULARY), LanguageModel(embedding=6, hidden=7, latent=5, initial_range=0.5)
    found = measured(create("pipeline_lib.models.sentence_vae:SentenceVAE", {}, units, network), sentences).nats
    assert "context_use" not in found
    assert {"bound", "kl", "nll_importance"} <= found.keys()


def test_a_latent_dimension_is_active_by_its_kl_even_if_its_posterior_mean_follows_the_prior():
    """Posterior and prior that move together with the context say nothing of the response."""
    model, dataset = make_model("cvae"), make_dataset(30)
    size = model.encoder.size
    with torch.no_grad():
        for parameter in (*model.prior.parameters(), *model.recognition.parameters()):
            parameter.zero_()
        model.recognition.bias[2] = 1.0  # one dimension whose posterior is elsewhere
        context = model.encode_context(dataset.batch(np.arange(30)))
        # dimension 0: both means are the same function of the context, up to the tanh of a small number
        model.recognition.weight[0, :size] = 1e-3
        model.prior[0].weight[0] = 1e-3
        model.prior[2].weight[0, 0] = 1.0
        spread = (context.sum(1) * 1e-3).var()
    assert spread > 0
    assert measured(model, dataset).active_units == 1


def test_the_oracle_answers_with_the_copy_that_its_likelihood_is_of():
    model, dataset = make_model("sepacvae"), make_dataset(12)
    rows = np.arange(12)
    with torch.no_grad():
        found = measure(model, dataset, [rows], 0, seed=3)
        own = model.likelihood(dataset.batch(rows), seeded(model.device, 3, 1))
        batch = replace(dataset.batch(rows), group=torch.from_numpy(found.group))
        generated = model.generate(batch, Greedy(model.ids, 5), "oracle", generator())
    assert found.group.tolist() == own.group.tolist() == generated.group.tolist()
    assert len(set(found.group.tolist())) > 1


@pytest.mark.parametrize("system", ["cvae", "k_cvae_bow"])
def test_of_several_candidates_the_one_closest_to_the_context_is_given(system):
    model, batch = make_model(system), make_batch(8)
    decode = Greedy(model.ids, 5)
    with torch.no_grad():
        one_by_one = generator()
        drawn = [model.generate(batch, decode, "none", one_by_one) for _ in range(3)]
        chosen = _chosen(model, batch, lambda generators: decode, "none", generator(), 3)
        close = torch.cat([model.closeness(batch, each.tokens) for each in drawn], 1)
    for i in range(8):
        best = drawn[int(close[i].argmax())].tokens[i]
        assert chosen.tokens[i][: len(best)].tolist() == best.tolist()
    assert len({tuple(each.tokens.flatten().tolist()) for each in drawn}) > 1


def test_a_system_without_a_measure_of_closeness_says_so():
    model = make_model("seq2seq")
    with pytest.raises(PipelineError, match="closest to its context"):
        _chosen(model, make_batch(4), lambda generators: Greedy(model.ids, 5), "none", generator(), 2)
