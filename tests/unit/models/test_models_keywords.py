"""The Transformer and the model of keywords and instances: equations, what each part trains, decoding."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.distributions import Normal
from torch.distributions import kl_divergence as torchs_kl

from pipeline_lib.compute.sharing import Share, holding
from pipeline_lib.config.decoding import BeamSettings, GreedySettings
from pipeline_lib.config.networks import Recurrent
from pipeline_lib.config.networks import Transformer as Sizes
from pipeline_lib.decoding import beam, greedy
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.batch import Batch, Response, Tokens
from pipeline_lib.models.keywords_and_instances import KeywordsAndInstances, _clamped
from pipeline_lib.models.layers.distributions import Gaussian
from pipeline_lib.models.layers.relational_attention import neighbourhood
from pipeline_lib.models.layers.transformer import keep_all
from pipeline_lib.models.system import System, create
from unit.keyword_fixtures import NODES, OURS, TRANSFORMER, WORDS, batch, graph, made
from unit.model_fixtures import SmallUnits, generator


def whole_graph(model: KeywordsAndInstances) -> Tensor:
    """Attention over all keywords at once."""
    given = graph()
    edges = [
        (node, int(other), sign)
        for sign, lists in enumerate((given.positive, given.negative))
        for node in range(NODES)
        for other in lists[node]
        if other >= 0
    ]
    ends = torch.tensor([edge[:2] for edge in edges]).t()
    return model.attention(model.known_by(given.vectors), ends, torch.tensor([edge[2] for edge in edges]), 2)


def test_the_neighbourhood_of_a_few_keywords_decides_them_as_the_whole_graph_does():
    model = made()
    expected = whole_graph(model)
    for wanted in ([0], [7, 2], [3, 1, 8]):
        torch.testing.assert_close(model.keywords(graph(), torch.tensor(wanted)), expected[wanted])
    asked = torch.tensor([[4, 4], [-1, 0]])
    torch.testing.assert_close(model.keywords(graph(), asked)[0], expected[[4, 4]])
    assert not model.keywords(graph(), asked)[1, 0].any()
    lists = torch.tensor([[1, -1], [2, -1], [3, -1], [4, -1], [-1, -1]])
    part = neighbourhood([lists, torch.full_like(lists, -1)], torch.tensor([0]), 2)
    assert part.nodes.tolist() == [0, 1, 2]
    assert part.edges.tolist() == [[0, 1], [1, 2]]


def by_hand(model: KeywordsAndInstances, given: Batch, weight: float) -> Tensor:
    """The loss example by example, every text encoded alone, from torch's distributions and printed ratios."""
    known = whole_graph(model)
    losses = []
    noise = torch.randn((4, 3), generator=generator()).double()
    for row in range(4):
        sides = (given.context, given.response.words, given.negative)
        alone = [Tokens(side.ids[row : row + 1, : side.lengths[row]], side.lengths[row : row + 1]) for side in sides]
        encoded = [model.encode(text, keep_all) for text in alone]
        context, response, negative = (states.mean(1)[0] for states in encoded)
        asked, said, _ = known[given.nodes[row]]
        prior, posterior, other = (
            _normal(net(torch.cat([context, beside])))
            for net, beside in ((model.prior, asked), (model.posterior, response), (model.posterior, negative))
        )
        z = posterior.mean + posterior.stddev * noise[row]
        memory = torch.cat([model.z_as_word(z)[None, None], encoded[0]], 1)
        cache = model.decoder.start(memory, torch.tensor([memory.shape[1]]))
        length = int(given.response.lengths[row])
        words = model.embedded(given.response.inputs[row : row + 1, :length]) + model.z_beside(z)
        logits = model.output(model.decoder(words, cache)[0])[0].log_softmax(-1)
        nll = -logits.gather(1, given.response.targets[row, :length, None]).sum()
        kl = torchs_kl(posterior, prior).sum()
        near, far = ((one / 3 / 0.1).exp() for one in (kl, torchs_kl(other, prior).sum()))
        instance = -(1 - near / (near + far)).log()
        candidates = [
            known[node]
            for node in given.graph.impostors[given.nodes[row, 1]]
            if node >= 0 and node != given.nodes[row, 0]
        ]
        cosines = torch.stack([torch.cosine_similarity(said, one, 0) for one in candidates]) / 0.1
        impostor = sum(share * one for share, one in zip(cosines.softmax(0).detach(), candidates, strict=True))
        alike, unlike = ((torch.cosine_similarity(asked, one, 0) / 0.1).exp() for one in (said, impostor))
        keyword = -(alike / (alike + unlike)).log()
        inverse = torch.diag(posterior.variance).inverse()
        apart = [model.latent_keyword(one) - posterior.mean for one in (said, impostor)]
        close, away = ((-(one @ inverse @ one) / 3 / 0.1).exp() for one in apart)
        mahalanobis = -(close / (close + away)).log()
        losses.append(nll + weight * kl + 0.5 * instance + 2 * keyword + mahalanobis)
    return torch.stack(losses).mean()


def _normal(parameters: Tensor) -> Normal:
    mean, log_variance = parameters.chunk(2)
    return Normal(mean, (log_variance / 2).exp())


def test_the_loss_is_that_of_its_equations_example_by_example():
    model = made(instance=0.5, keyword=2.0).eval()
    found = model.objective(batch(), 0.3, generator())
    torch.testing.assert_close(found.loss, by_hand(model, batch(), 0.3), rtol=1e-9, atol=0)
    rates = 1 - torch.exp(-found.log["mahalanobis"])
    assert found.log["mahalanobis_vanished"].tolist() == (rates < 0.01).double().tolist()


def test_the_root_of_the_mahalanobis_distance_is_an_option():
    squared, root = made().eval(), made(root=True).eval()
    with torch.no_grad():
        of_squares, of_roots = (model.objective(batch(), 1.0, generator()).log for model in (squared, root))
        compared = root.compared(batch())
        _, posterior, _ = root.distributions(batch())
        apart = [root.latent_keyword(one) - posterior.mean for one in compared[1:]]
        near, far = ((one / (posterior.log_variance / 2).exp()).norm(dim=1) / math.sqrt(3) for one in apart)
    torch.testing.assert_close(of_roots["mahalanobis"], ((near - far) / 0.1).exp().log1p())
    assert {name for name in of_roots if not torch.equal(of_roots[name], of_squares[name])} >= {"mahalanobis"}
    assert torch.equal(of_roots["keyword"], of_squares["keyword"])


def gradients(**options: Any) -> dict[str, float]:
    model = made(**options).eval()
    model.objective(batch(), 1.0, generator()).loss.backward()
    return {
        name: 0.0 if parameter.grad is None else float(parameter.grad.abs().sum())
        for name, parameter in model.named_parameters()
    }


def test_what_an_ablation_takes_away_is_not_trained():
    whole = gradients()
    assert all(whole.values())
    assert gradients(mahalanobis=0)["latent_keyword.weight"] == 0
    instance_alone = gradients(keywords="none", keyword=0, mahalanobis=0)
    assert not [name for name in instance_alone if name.startswith(("attention", "known_by", "latent_keyword"))]
    without_graph = gradients(keywords="words", impostors="negative")
    assert without_graph["known_by.weight"] > 0
    assert not [name for name in without_graph if name.startswith("attention")]
    assert sum(value for name, value in gradients(iterations=0).items() if name.startswith("attention")) == 0
    assert gradients(signs=False) != whole


def test_contrasts_without_keywords_are_refused():
    with pytest.raises(ValidationError, match="nothing to contrast"):
        KeywordsAndInstances.Options(keywords="none")


def test_a_corpus_without_vectors_is_refused_with_what_to_do():
    with pytest.raises(PipelineError, match="known by word vectors") as caught:
        made(keyword_size=None)
    assert "keywords: none" in caught.value.remedy


@pytest.mark.parametrize("path", [TRANSFORMER, OURS])
def test_shares_of_a_batch_have_the_loss_of_the_whole(path):
    model = made(path).train()
    with torch.no_grad():
        whole = model.objective(batch(), 0.5, generator()).loss
        parts = []
        for rank in range(2):
            share = Share.of(4, rank, 2)
            with holding(share):
                parts.append(model.objective(_rows(batch(), share.rows), 0.5, generator()).loss)
    torch.testing.assert_close(sum(parts) / 2, whole)


def _rows(given: Batch, rows: Tensor) -> Batch:
    said = given.response
    return replace(
        given,
        response=Response(said.inputs[rows], said.targets[rows], said.lengths[rows]),
        context=Tokens(given.context.ids[rows], given.context.lengths[rows]),
        negative=Tokens(given.negative.ids[rows], given.negative.lengths[rows]),
        keywords=given.keywords[rows],
        nodes=given.nodes[rows],
    )


@pytest.mark.parametrize(("path", "options"), [(TRANSFORMER, {}), (TRANSFORMER, {"keyword": True}), (OURS, {})])
def test_greedy_words_are_each_the_likeliest_after_the_whole_prefix_and_a_beam_of_one_finds_them(path, options):
    model: System = made(path, **options).eval()
    ids = model.ids
    with torch.no_grad():
        decode = greedy.strategy(GreedySettings(max_length=6), ids, generator())
        words = model.generate(batch(), decode, "none", generator()).tokens
        one = beam.strategy(BeamSettings(kind="beam", size=1, max_length=6), ids, generator())
        assert torch.equal(model.generate(batch(), one, "none", generator()).tokens, words)
        for position in range(words.shape[1]):
            nll = [_nll_of(model, torch.cat([words[:, :position], torch.full((4, 1), w)], 1)) for w in range(4, WORDS)]
            going = (words[:, position] >= 4) & (words[:, :position] >= 4).all(1)
            assert torch.equal(torch.stack(nll).argmin(0)[going] + 4, words[:, position][going])


def _nll_of(model: Any, words: Tensor) -> Tensor:
    """-log p of a prefix with the prior's mean of z, without its end token."""
    given = batch()
    inputs = torch.cat([torch.full((4, 1), model.ids.start), words[:, :-1]], 1)
    prefix = Response(inputs, words, torch.full((4,), words.shape[1]))
    if isinstance(model, KeywordsAndInstances):
        encoded = model.encoded(given, keep_all)
        z = model.prior_of(given, encoded.context).mean
        return model._nll(replace(given, response=prefix), encoded, z, keep_all)
    return model._nll(replace(given, response=prefix), generator())


def test_the_importance_estimate_is_the_likelihood_where_the_response_ignores_z():
    model = made().eval()
    with torch.no_grad():
        for layer in (model.z_as_word, model.z_beside):
            layer.weight.zero_()
        expected = model.likelihood(batch(), generator()).nll
        many = model.importance_nll(batch(), generator(), 4000)
    assert many.sub(expected).abs().max() < 0.1
    assert math.isfinite(float(many.sum()))


@pytest.mark.parametrize("drawn", [False, True])
def test_the_likelihood_of_the_prior_is_that_of_the_z_that_responses_are_written_with(drawn):
    model, noise = made(drawn=drawn).eval(), generator()
    encoded, posterior, prior = model.distributions(batch())
    posterior.draw(noise)
    z = prior.draw(noise) if drawn else prior.mean
    found = model.likelihood(batch(), generator()).nll_prior
    torch.testing.assert_close(found, model._nll(batch(), encoded, z, keep_all))


def test_log_variances_stay_within_six():
    found: Gaussian = _clamped(torch.tensor([[1.0, 2.0, 90.0, -90.0]]))
    assert found.log_variance.tolist() == [[6.0, -6.0]]


def test_the_transformer_with_a_keyword_reads_it_after_the_context():
    model = made(TRANSFORMER, keyword=True).eval()
    read = model._context(batch())
    assert read.lengths.tolist() == [5, 3, 7, 4]
    assert [int(read.ids[row, length - 1]) for row, length in enumerate(read.lengths)] == [7, 9, 5, 11]


def test_heads_that_do_not_divide_the_width_and_sizes_of_another_network_are_refused():
    with pytest.raises(ValidationError, match="cannot be shared"):
        Sizes(width=10, heads=4)
    with pytest.raises(PipelineError, match="not of a Recurrent one"):
        create(TRANSFORMER, {}, SmallUnits(None, WORDS), Recurrent())


def test_a_range_of_initial_weights_leaves_layer_norms_as_they_are():
    model = create(TRANSFORMER, {}, SmallUnits(None, WORDS), Sizes(width=8, heads=2, initial_range=0.01))
    norms = [module for module in model.modules() if isinstance(module, nn.LayerNorm)]
    assert norms
    for norm in norms:
        assert (set(norm.weight.tolist()), set(norm.bias.tolist())) == ({1.0}, {0.0})
    of_norms = {id(parameter) for norm in norms for parameter in norm.parameters()}
    assert all(own.abs().max() <= 0.01 for own in model.parameters() if id(own) not in of_norms)


@pytest.mark.parametrize("field", ["negative", "nodes", "graph", "context"])
def test_a_field_that_the_system_needs_and_is_not_given_is_named(field):
    with pytest.raises(PipelineError, match=f"needs the field '{field}'") as caught:
        made().objective(replace(batch(), **{field: None}), 1.0, generator())
    assert ("sources" if field == "context" else f"reads.{field}") in caught.value.where
