"""The systems' objectives, likelihoods and responses against brute force."""

import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from pipeline_lib.config.networks import Recurrent
from pipeline_lib.decoding.greedy import Greedy
from pipeline_lib.decoding.steps import word_lengths
from pipeline_lib.errors import PipelineError
from pipeline_lib.models import saved
from pipeline_lib.models.layers.distributions import importance_estimate
from pipeline_lib.models.relationship import relationship_loss, released_relationship_loss
from pipeline_lib.models.sepacvae import group_vectors
from pipeline_lib.models.system import create
from pipeline_lib.models.weights import save_tensors
from pipeline_lib.text.ids import Ids
from unit.model_fixtures import EMBEDDING, GROUPS, SYSTEMS, SmallUnits, generator, make_batch, make_model

UNITS = SmallUnits(np.zeros((5, 8), np.float32), 5)


def gradients(model, objective):
    model.zero_grad()
    objective.loss.backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("system", ["sepacvae", "released"])
def test_two_pass_selection_gives_the_one_pass_gradient(system):
    model, batch = make_model(system), make_batch(12)
    two = gradients(model, model.objective(batch, 0.3, generator()))
    one = gradients(model, model.objective_in_one_pass(batch, 0.3, generator()))
    assert two.keys() == one.keys()
    for name in one:  # every parameter, not only the sum
        assert_close(two[name], one[name], rtol=1e-9, atol=1e-12, msg=name)


def test_without_blocking_every_copy_counts_the_same_and_the_other_terms_stay_the_best_copys():
    model, batch = make_model("sepacvae", options={"blocking": False}), make_batch(12)
    found = model.objective(batch, 0.3, generator())
    scored = model._score_copies(batch, model._noise(batch, generator()))
    blocked = make_model("sepacvae").objective(batch, 0.3, generator())
    others = 0.3 * blocked.log["relationship"] + blocked.log["group_nll"].mean()
    assert_close(found.loss, scored.nll.mean() + 0.3 * scored.kl_units.sum(-1).mean() + others)


@pytest.mark.parametrize(
    ("part", "off", "term"), [("relationship", "none", "relationship"), ("classifier", False, "group_nll")]
)
def test_a_part_that_is_left_out_is_missing_from_the_loss_and_nothing_else_is(part, off, term):
    batch, weight = make_batch(12), 0.3
    whole = make_model("sepacvae").objective(batch, weight, generator())
    without = make_model("sepacvae", options={part: off}).objective(batch, weight, generator())
    missing = whole.log[term].mean() * (weight if part == "relationship" else 1)
    assert term not in without.log
    assert_close(without.loss, whole.loss - missing)


def test_a_random_winner_is_any_copy_whatever_it_explains():
    model, batch = make_model("sepacvae", options={"winner": "random"}), make_batch(400)
    winner = model._winner(batch, model._noise(batch, generator()), generator())
    assert torch.bincount(winner, minlength=GROUPS).min() > 400 / GROUPS / 2
    best = model._score_copies(batch, model._noise(batch, generator())).best()
    assert 0.1 < float((winner == best).double().mean()) < 0.4  # agreement by chance: 1 / 4


@pytest.mark.parametrize("system", ["cvae", "k_cvae_bow", "sepacvae"])
def test_the_condition_is_the_contexts_encoding_with_the_drawn_z(system):
    model, batch = make_model(system), make_batch()
    found = model.likelihood(batch, generator())
    context = model._encode_marked(batch, found.group) if system == "sepacvae" else model.encode_context(batch)
    assert_close(found.condition[:, : model.encoder.size], context)
    hidden_terms = found.condition[:, model.encoder.size :]
    assert hidden_terms.shape == found.posterior_mean.shape
    if system == "cvae":
        assert_close(model.reconstruction(batch, context, hidden_terms)["nll"], found.nll)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_parameter_receives_a_gradient_and_the_embeddings_are_no_parameter(system):
    model, batch = make_model(system), make_batch(12)
    found = gradients(model, model.objective(batch, 1.0, generator()))
    assert not [name for name, gradient in found.items() if not gradient.abs().sum() > 0]
    assert not [name for name, _ in model.named_parameters() if "embeddings" in name]


def test_group_vectors_are_orthogonal_and_of_norm_root_37():
    vectors = group_vectors(8, 300)
    assert_close(vectors @ vectors.T, 37.0 * torch.eye(8))
    assert not vectors[:, 296:].any()


def test_more_groups_than_coordinates_are_refused():
    with pytest.raises(PipelineError, match="17 groups do not fit"):
        group_vectors(17, 16)


def test_the_winner_is_the_copy_of_least_unannealed_loss_and_ties_go_to_the_lowest_group(monkeypatch):
    model, batch = make_model("sepacvae"), make_batch(12)
    scored = model._score_copies(batch, model._noise(batch, generator()))
    losses = scored.nll + scored.kl_units.sum(-1)
    expected = [min(range(GROUPS), key=lambda j: losses[i, j].item()) for i in range(12)]
    assert model.likelihood(batch, generator()).group.tolist() == expected
    tied = torch.tensor([[2.0, 1.0, 3.0, 1.0]]).expand(12, -1)
    monkeypatch.setattr(model, "_score_copies", lambda *_: scored._replace(nll=tied, kl_units=torch.zeros(12, 4, 5)))
    assert model.likelihood(batch, generator()).group.tolist() == [1] * 12


def test_relationship_loss_equals_the_printed_ratio_of_exponentials():
    torch.manual_seed(2)
    encodings, groups = torch.randn(7, 5, dtype=torch.float64), torch.tensor([0, 1, 0, 2, 1, 0, 3])
    losses = []
    for i in range(7):
        cosine = [5 * float(torch.cosine_similarity(encodings[i], encodings[k], dim=0)) for k in range(7)]
        positive = [cosine[k] for k in range(7) if k != i and groups[k] == groups[i]]
        negative = [cosine[k] for k in range(7) if groups[k] != groups[i]]
        if positive and negative:
            up, down = math.exp(sum(positive) / len(positive)), math.exp(sum(negative) / len(negative))
            losses.append(-math.log(up / (up + down)))
    assert float(relationship_loss(encodings, groups)) == pytest.approx(sum(losses) / len(losses))


def test_relationship_loss_is_zero_without_negatives_and_finite_for_huge_encodings():
    encodings = 1e8 * torch.randn(4, 3, generator=generator())
    assert float(relationship_loss(encodings, torch.zeros(4, dtype=torch.long))) == 0
    assert math.isfinite(relationship_loss(encodings, torch.tensor([0, 0, 1, 1])))


def test_released_relationship_loss_equals_the_gram_matrix_of_all_copies_with_losers_zeroed():
    torch.manual_seed(2)
    winners, number = torch.tensor([0, 2, 0, 1]), 3
    encodings = torch.randn(4, 5, dtype=torch.float64)
    copies = torch.zeros(4 * number, 5, dtype=torch.float64)
    rows = torch.arange(4) * number + winners
    copies[rows] = encodings
    gram = copies @ copies.T
    similarity = (5 * (gram - gram.min()) / (gram.max() - gram.min()))[rows][:, rows]
    losses = []
    for i in range(4):
        positive = sum(float(similarity[i, k]) for k in range(4) if winners[k] == winners[i]) / number
        negative = sum(float(similarity[i, k]) for k in range(4) if winners[k] != winners[i]) / number
        losses.append(math.log1p(math.exp(negative - positive)))
    assert float(released_relationship_loss(encodings, winners, number)) == pytest.approx(sum(losses) / 4)


def test_a_context_with_marked_padding_is_read_as_25_tokens_whose_padding_carries_the_group():
    model, batch = make_model("released"), make_batch(2)
    group = torch.tensor([1, 3])
    found = model._encode_marked(batch, group)
    wide = torch.zeros(2, 25, EMBEDDING, dtype=torch.float64)
    wide[:, : batch.context.ids.shape[1]] = model.embed(batch.context.ids)
    last = model.encoder.gru(wide + model.group_vectors[group].unsqueeze(1))[1]
    assert_close(found, torch.cat([last[0], last[1]], -1))


def test_sepacvaes_bound_is_of_an_unbiased_estimate_of_the_likelihood():
    model, batch = make_model("sepacvae", spread=0.1), make_batch()
    with torch.no_grad():
        bounds = torch.stack([model.likelihood(batch, generator(seed)).bound for seed in range(400)])
        likelihood = model.importance_nll(batch, generator(), 2000)
    assert_close((likelihood - bounds).exp().mean(0), torch.ones(len(batch), dtype=bounds.dtype), rtol=0, atol=0.02)
    assert float(bounds.std(0).min()) > 0.05  # the noise from which a KL in place of the ratio would profit


def test_the_importance_estimate_is_minus_the_log_of_the_mean_weight():
    weights = torch.tensor([[0.2, 0.5], [0.4, 0.1]], dtype=torch.float64)
    assert_close(importance_estimate(weights.log()), -weights.mean(0).log())


@pytest.mark.parametrize("system", ["cvae", "sepacvae"])
def test_importance_weighting_finds_the_exact_likelihood_where_the_response_ignores_z(system):
    model, batch = make_model(system, spread=0.1), make_batch()
    with torch.no_grad():
        model.decoder.initial.weight[:, model.encoder.size :] = 0  # the columns that read z
        exact = model.likelihood(batch, generator()).nll
        if system == "sepacvae":
            scored = model._score_copies(batch, model._noise(batch, generator()))
            exact = -(torch.exp(-scored.nll).mean(1)).log()
        estimate = model.importance_nll(batch, generator(), 400)
    assert_close(estimate, exact, rtol=0, atol=0.03)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_bound_is_not_below_the_importance_weighted_estimate(system):
    model, batch = make_model(system), make_batch(40)
    with torch.no_grad():
        bound = model.likelihood(batch, generator()).bound.mean()
        estimate = model.importance_nll(batch, generator(), 64).mean()
    assert float(estimate) <= float(bound) + 0.05


@pytest.mark.parametrize("system", ["seq2seq", "cvae", "k_cvae_bow"])
def test_greedy_words_are_each_the_likeliest_after_the_whole_prefix(system):
    model, batch = make_model(system), make_batch()
    tokens = model.generate(batch, Greedy(Ids(), 8), "none", generator()).tokens
    context = model.encoder(model.embed(batch.context.ids), batch.context.lengths)
    condition, beside = context, None
    if system != "seq2seq":
        prior = model.prior(context).float().chunk(2, -1)
        noise = torch.randn(len(batch), 5, generator=generator())
        condition = torch.cat([context, prior[0] + (prior[1] / 2).exp() * noise], -1)
    if system == "k_cvae_bow":
        beside = model.group_predictor(condition).softmax(-1) @ model.group_embedding.weight
        condition = torch.cat([condition, beside], -1)
    for row, words in enumerate(tokens.tolist()):
        for t, word in enumerate(words):
            prefix = model.embed(torch.tensor([[Ids().start, *words[:t]]]))
            if beside is not None:
                prefix = torch.cat([prefix, beside[row].expand(1, t + 1, -1)], -1)
            logits = model.decoder.output(model.decoder(prefix, condition[row : row + 1])[0, -1])
            logits[[Ids().pad, Ids().start]] = -torch.inf
            assert word == int(logits.argmax())
            if word == Ids().end:
                break


def test_the_test_rule_takes_the_response_of_largest_cosine_and_never_an_empty_one():
    model, batch = make_model("sepacvae"), make_batch(3)
    tokens = torch.randint(4, 30, (3 * GROUPS, 5), generator=generator())
    tokens[::GROUPS] = Ids().end  # every example's first response is empty
    chosen = model.closeness(batch, tokens).argmax(1)
    context = model.encode_context(batch)
    for i in range(3):
        cosines = [
            float(
                torch.cosine_similarity(
                    model.encoder(model.embed(tokens[row : row + 1]), torch.tensor([5]))[0], context[i], dim=0
                )
            )
            for row in range(i * GROUPS + 1, (i + 1) * GROUPS)
        ]
        assert int(chosen[i]) == 1 + cosines.index(max(cosines))


def test_word_lengths_end_at_the_end_token():
    tokens = torch.tensor([[7, 8, Ids().end, Ids().pad], [7, 8, 9, 9], [Ids().end, Ids().pad, Ids().pad, Ids().pad]])
    assert word_lengths(tokens, Ids()).tolist() == [2, 4, 0]


def test_a_cluster_cvae_with_a_certain_predictor_decodes_with_that_clusters_embedding():
    model, batch = make_model("k_cvae_bow"), make_batch()
    with torch.no_grad():
        model.group_predictor[2].weight.zero_()
        model.group_predictor[2].bias.copy_(torch.tensor([0.0, 0.0, 1e6, 0.0]))
    assert model.generate(batch, Greedy(Ids(), 4), "none", generator()).group.tolist() == [2] * len(batch)


def test_an_unknown_option_of_a_model_is_refused_by_name():
    with pytest.raises(PipelineError, match="grups") as error:
        create(
            "pipeline_lib.models.sepacvae:SepaCVAE",
            {"grups": 8},
            SmallUnits(np.zeros((5, 8), np.float32), 5),
            Recurrent(),
        )
    assert "did you mean 'groups'?" in str(error.value)


def test_a_model_that_does_not_exist_is_refused_by_name():
    with pytest.raises(PipelineError, match="no model"):
        create("pipeline_lib.models.nothing:Nothing", {}, UNITS, Recurrent())


@pytest.mark.parametrize("path", ["os:system", "pipeline_lib.examples.batch:Batch", "pipeline_lib.models.cvae:CVEA"])
def test_what_is_no_model_is_refused_and_not_called(path):
    with pytest.raises(PipelineError, match="no model"):
        create(path, {}, UNITS, Recurrent())


@pytest.mark.parametrize("metadata", [{}, {"description": "{}"}, {"description": "no JSON"}])
def test_a_foreign_weights_file_is_refused_by_name(tmp_path, metadata):
    save_tensors(tmp_path / "model.safetensors", {"a": torch.zeros(2)}, metadata)
    with pytest.raises(PipelineError, match="what network") as error:
        saved.load(tmp_path / "model.safetensors", None)
    assert "model.safetensors" in error.value.where
