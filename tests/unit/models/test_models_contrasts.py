"""The three contrasts, against what the paper prints and against sampling."""

import math

import pytest
import torch
from torch.testing import assert_close

from pipeline_lib.models import contrasts
from pipeline_lib.models.layers.distributions import Gaussian
from pipeline_lib.models.layers.relational_attention import RelationalAttention, softmax_by


def random(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_the_preference_is_the_printed_ratio_of_exponentials_and_stays_finite():
    near, far = 0.5 * random(50), 0.5 * random(50, seed=2)  # moderate: the print cancels digits
    for temperature in (0.1, 1.0):
        shares = torch.stack([near, far]).div(temperature).softmax(0)
        assert_close(contrasts.preference(near, far, temperature), -(1 - shares[0]).log(), rtol=0, atol=1e-9)
    extreme = torch.tensor([1e4, -1e4], dtype=torch.float64)
    assert contrasts.preference(extreme, -extreme, 1.0).isfinite().all()


def test_the_instance_contrast_compares_the_divergences_of_both_posteriors():
    gaussians = [Gaussian(random(3, 4, seed=i), 0.3 * random(3, 4, seed=9 + i)) for i in range(3)]
    (positive, negative), prior = gaussians[:2], gaussians[2]
    normal = [torch.distributions.Normal(one.mean, (0.5 * one.log_variance).exp()) for one in gaussians]
    near, far = (torch.distributions.kl_divergence(one, normal[2]).sum(-1) / 4 for one in normal[:2])
    shares = torch.stack([near, far]).div(0.5).softmax(0)
    found = contrasts.instance_contrast(positive, negative, prior, 0.5)
    assert_close(found, -(1 - shares[0]).log())


def test_the_squared_mahalanobis_distance_of_own_samples_averages_the_number_of_dimensions():
    size, draws = 8, 100_000
    own = Gaussian(random(1, size), random(1, size, seed=2))
    distance = contrasts.mahalanobis(own.sample(random(draws, size, seed=3)), own)
    assert distance.mean() / size == pytest.approx(1, abs=0.02)
    point, covariance = random(1, size, seed=4), torch.diag(own.log_variance[0].exp())
    apart = (point - own.mean)[0]
    assert_close(contrasts.mahalanobis(point, own)[0], apart @ covariance.inverse() @ apart)


def test_the_root_of_a_mahalanobis_contrast_compares_distances_and_has_a_gradient_at_the_mean():
    posterior = Gaussian(random(2, 4), random(2, 4, seed=2))
    near, far = random(2, 4, seed=3), random(2, 4, seed=4)
    deviation = (posterior.log_variance / 2).exp()
    lengths = [((one - posterior.mean) / deviation).norm(dim=1) / math.sqrt(4) for one in (near, far)]
    found = contrasts.mahalanobis_contrast(near, far, posterior, 0.5, root=True)
    assert_close(found, ((lengths[0] - lengths[1]) / 0.5).exp().log1p())
    mean = posterior.mean.clone().requires_grad_()
    contrasts.mahalanobis_contrast(mean, far, posterior, 0.5, root=True).sum().backward()
    assert mean.grad.isfinite().all()


def test_keyword_contrasts_prefer_the_keyword_to_the_impostor():
    anchor, far = random(2, 5), random(2, 5, seed=2)
    assert (contrasts.keyword_contrast(anchor, anchor, far, 0.1) < math.log(2)).all()
    assert_close(contrasts.keyword_contrast(anchor, far, far, 0.1), torch.full((2,), math.log(2), dtype=torch.float64))
    posterior = Gaussian(anchor, torch.zeros_like(anchor))
    assert (contrasts.mahalanobis_contrast(anchor, far, posterior, 0.1) < 0.01).all()


def test_an_impostor_is_the_mean_of_its_allowed_neighbours_weighted_by_likeness_without_gradient():
    nodes = random(6, 3).requires_grad_()
    keyword = random(2, 3, seed=5).requires_grad_()
    candidates = torch.tensor([[0, 1, 2], [3, 4, 0]])
    allowed = torch.tensor([[True, True, False], [False, True, False]])
    found, weights = contrasts.impostors(keyword, nodes[candidates], allowed, 0.1)
    cosines = [torch.cosine_similarity(keyword[0], nodes[i], 0) / 0.1 for i in (0, 1)]
    expected = torch.stack(cosines).softmax(0).detach()
    assert_close(found[0], expected[0] * nodes[0] + expected[1] * nodes[1])
    assert_close(found[1], nodes[4])
    assert weights[0, 2] == 0
    found.sum().backward()
    assert keyword.grad is None


# --- the graph -----------------------------------------------------------------------------------------------------

EDGES = torch.tensor([[0, 0, 0, 1, 2, 2], [1, 2, 3, 0, 3, 1]])
SIGNS = torch.tensor([0, 1, 0, 0, 1, 0])


def network(width: int = 6) -> RelationalAttention:
    torch.manual_seed(0)
    return RelationalAttention(width).double()


def by_loops(model: RelationalAttention, nodes: torch.Tensor, iterations: int) -> torch.Tensor:
    """Equations 4 to 9, edge by edge and node by node."""
    width = nodes.shape[1]
    pairs = [(int(i), int(j)) for i, j in EDGES.t()]
    relation = [
        model.first(torch.cat([nodes[i], nodes[j]])) + model.sign.weight[s]
        for (i, j), s in zip(pairs, SIGNS, strict=True)
    ]
    for _ in range(iterations):
        updated = []
        for (i, j), r in zip(pairs, relation, strict=True):
            scores = [model.edge_query(r) @ model.edge_key(nodes[end]) / math.sqrt(width) for end in (i, j)]
            total = scores[0].exp() + scores[1].exp()
            taken = scores[0].exp() / total * nodes[i] + scores[1].exp() / total * nodes[j]
            updated.append(model.update(r + taken))
        relation = updated
        after = []
        for node in range(len(nodes)):
            own = [(j, r) for (i, j), r in zip(pairs, relation, strict=True) if i == node]
            scores = [
                (model.query(nodes[node]) @ (model.key(nodes[j]) + model.relation(r)) / math.sqrt(width)).exp()
                for j, r in own
            ]
            taken = sum(
                (s / sum(scores) * (model.value(nodes[j]) + r) for s, (j, r) in zip(scores, own, strict=True)),
                torch.zeros(width, dtype=torch.float64),
            )
            after.append(nodes[node] + taken)
        nodes = torch.stack(after)
    return nodes


@pytest.mark.parametrize("iterations", [1, 2, 3])
def test_relational_attention_is_its_equations_edge_by_edge(iterations):
    model, nodes = network(), random(5, 6)
    assert_close(model(nodes, EDGES, SIGNS, iterations), by_loops(model, nodes, iterations), rtol=1e-9, atol=1e-9)


def test_the_order_of_nodes_does_not_matter():
    model, nodes = network(), random(5, 6)
    order = torch.tensor([3, 1, 4, 0, 2])
    place = torch.argsort(order)
    assert_close(model(nodes[order], place[EDGES], SIGNS, 2), model(nodes, EDGES, SIGNS, 2)[order])


def test_a_graph_without_edges_leaves_its_nodes_as_they_are():
    nodes = random(5, 6)
    assert torch.equal(network()(nodes, EDGES[:, :0], SIGNS[:0], 2), nodes)


def test_the_softmax_of_a_group_is_that_of_its_scores_however_large():
    scores, group = torch.tensor([1e4, 1e4 - 1, 3.0, 5.0]), torch.tensor([1, 1, 0, 1])
    found = softmax_by(scores, group, 3)
    assert_close(found[:2], torch.tensor([1.0, 0.0]).softmax(0))
    assert found[2] == 1
    assert found[3] == 0
