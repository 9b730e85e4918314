"""What is measured of contrasts: shares, preferences, spread, gradients, points; against loops."""

from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch

from pipeline_lib.analyses import contrast_space, contrasts, gradients, keyword_choice
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.batch import Batch
from pipeline_lib.figures import contrast_map
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.models.system import create
from pipeline_lib.schemas.keyword_choice import KEYWORD_CHOICE
from pipeline_lib.tables.keyword_choice import _with_interval, effects
from unit.keyword_fixtures import NETWORK, OURS, SIZE, WORDS, batch, made
from unit.model_fixtures import SmallUnits, generator


class Four:
    """A dataset of one batch."""

    def by_length(self, size: int):
        yield np.arange(4)

    def batch(self, rows: np.ndarray) -> Batch:
        return batch()


def test_preferences_and_shares_are_counted_example_by_example():
    model = made().eval()
    found = {one.column: one.value for one in contrasts.measured(model, Four(), seed=1)}
    with torch.no_grad():
        compared = model.compared(batch())
        _, posterior, prior = model.distributions(batch())
    cosine = torch.nn.functional.cosine_similarity
    nearer = [
        float(cosine(compared.asked[i], compared.said[i], 0) > cosine(compared.asked[i], compared.impostor[i], 0))
        for i in range(4)
    ]
    assert found["keyword AUC"] == np.mean(nearer)

    def distance(point: torch.Tensor, i: int) -> float:
        apart = model.latent_keyword(point[i]) - posterior.mean[i]
        return float((apart @ torch.diag(posterior.log_variance[i].exp()).inverse() @ apart).detach())

    closer = [float(distance(compared.said, i) < distance(compared.impostor, i)) for i in range(4)]
    assert found["mahalanobis AUC"] == np.mean(closer)
    left, right = (one.mean / one.mean.norm(dim=1, keepdim=True) for one in (posterior, prior))
    assert found["alignment"] == pytest.approx(float((left - right).square().sum(1).mean()))


def test_a_contrast_has_vanished_where_its_gradient_is_below_a_hundredth_of_the_greatest():
    margin = torch.linspace(-8, 8, 101, dtype=torch.float64, requires_grad=True)
    losses = torch.log1p(margin.exp())
    losses.sum().backward()
    assert torch.equal(made().has_vanished(losses.detach()) == 1, margin.grad < 0.01)


def test_the_share_that_has_vanished_is_counted_of_the_losses_of_each_example(monkeypatch):
    model = made().eval()
    losses = torch.tensor([0.001, 2.0, 0.002, 0.003])  # gradients of .001, .86, .002 and .003
    terms = model.terms
    monkeypatch.setattr(model, "terms", lambda *given: (terms(*given)[0], terms(*given)[1] | {"keyword": losses}))
    found = {one.column: one.value for one in contrasts.measured(model, Four(), seed=1)}
    assert found["keyword vanished"] == 0.75
    assert found["keyword loss"] == pytest.approx(float(losses.mean()))


def test_uniformity_is_the_log_of_the_mean_over_all_pairs():
    points = np.random.default_rng(1).normal(size=(6, 3))
    pairs = [np.exp(-2 * np.sum((points[i] - points[j]) ** 2)) for i in range(6) for j in range(i)]
    assert contrasts.uniformity(points) == pytest.approx(np.log(np.mean(pairs)))


def test_gradients_are_those_of_one_loss_alone():
    model = made().eval()
    found = gradients.gradients(model, iter([batch()]), seed=3)
    assert ("keyword", "graph") in found
    assert ("keyword", "encoder") not in found
    assert ("mahalanobis", "prior") not in found
    _, alone = model.terms(batch(), generator())
    alone["keyword"].mean().backward()
    parts = [
        parameter.grad.square().sum()
        for name, parameter in model.named_parameters()
        if name.startswith(("attention", "known_by")) and parameter.grad is not None
    ]
    assert found["keyword", "graph"] == pytest.approx(float(torch.stack(parts).sum().sqrt()))


def test_points_of_both_spaces_are_what_training_compares_and_the_figure_measures_them(tmp_path):
    model = made().eval()
    found = contrast_space.points(model, batch())
    with torch.no_grad():
        compared = model.compared(batch())
        _, posterior, prior = model.distributions(batch())
    torch.testing.assert_close(found["width", "keyword"][1], compared.said)
    torch.testing.assert_close(found["latent", "keyword"][0], model.latent_keyword(compared.asked))
    torch.testing.assert_close(found["latent", "sentence"][:2], [prior.mean, posterior.mean])
    ids = pa.chunked_array([[0, 1000, 1001, 1007]])
    tables = [contrast_space._table(ids, found, trained) for trained in (False, True)]
    table = pa.concat_tables(tables)
    write_parquet(tmp_path / "points.parquet", table, table.schema)
    assert set(table["example_id"].to_pylist()) == set(ids.to_pylist())
    numbers = contrast_map.numbers({"ours": tmp_path / "points.parquet"}, contrast_map.Options(examples=3))
    assert len(numbers) == 2 * 2 * 2 * 3 * 4
    row = next(r for r in numbers.to_pylist() if r["space"] == "latent" and r["kind"] == "sentence")
    asked, positive, negative = found["latent", "sentence"]
    near, far = ((asked - other).norm(dim=1) for other in (positive, negative))
    assert row["nearer"] == float((near < far).double().mean())
    assert numbers["x"].null_count == len(numbers) // 4
    one = table.filter(pc.equal(table["example_id"], 0))
    write_parquet(tmp_path / "one.parquet", one, one.schema)
    with pytest.raises(PipelineError, match="points of 1 example"):
        contrast_map.numbers({"ours": tmp_path / "one.parquet"}, contrast_map.Options())


def test_before_training_all_weights_are_drawn_anew():
    model = made()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(9)
    model.redraw()
    same = {name for name, value in model.state_dict().items() if torch.equal(value, before[name])}
    assert all(name.endswith("bias") or "norm" in name or "last" in name or "before" in name for name in same)


def test_weights_that_began_in_a_range_are_drawn_anew_in_it():
    model = create(
        OURS, {"keyword_size": SIZE}, SmallUnits(None, WORDS), NETWORK.model_copy(update={"initial_range": 0.01})
    )
    with torch.no_grad():
        model.output.weight += 1
    model.redraw()
    kept = {
        parameter for norm in model.modules() if isinstance(norm, torch.nn.LayerNorm) for parameter in norm.parameters()
    }
    assert all(float(each.detach().abs().max()) <= 0.01 for each in model.parameters() if each not in kept)


def test_a_random_keyword_is_that_of_neither_text():
    nodes = np.array([[0, 1, 2], [2, 2, 0], [1, 0, 2]] * 20)
    chosen = keyword_choice.keywords_of(nodes, 4, seed=1)
    assert not (chosen["random"][:, None] == nodes[:, :2]).any()
    assert chosen["textrank"].tolist() == nodes[:, 0].tolist()
    assert chosen["reference"].tolist() == nodes[:, 1].tolist()
    assert set(chosen["none"].tolist()) == {-1}


def test_effects_of_keywords_are_told_with_their_interval():
    rows = [
        {
            "example_id": i,
            "source": source,
            "keyword": keyword,
            "context": "a b",
            "reference": "x y z",
            "response": said,
        }
        for source, keyword, said in (
            ("textrank", "x", "x y z"),
            ("random", "q", "x y z"),
            ("none", None, "x y z"),
            ("reference", "y", "w w w"),
        )
        for i in range(3)
    ]
    best, random, none, reference = effects(pa.Table.from_pylist(rows, KEYWORD_CHOICE), "Corpus, Ours")
    # Wilson's interval of none of n is from 0 to z² / (n + z²), that of all of n its reflection
    z2 = NormalDist().inv_cdf(0.975) ** 2
    assert f"uptake 1.000 [{3 / (3 + z2):.3f}, 1.000]" in best
    assert f"uptake 0.000 [0.000, {z2 / (3 + z2):.3f}]" in random
    assert "+0.000 ± 0.000 against the best" in random
    assert "uptake" not in none
    assert "−1.3" in reference or "−1.2" in reference


def test_a_difference_that_rounds_to_zero_has_no_minus_and_others_have_a_true_one():
    assert _with_interval(np.array([-0.0004, 0.0])) == "0.000 ± 0.000"
    assert _with_interval(np.array([-0.0004, 0.0]), "+") == "+0.000 ± 0.000"
    assert _with_interval(np.array([-0.5, -0.5]), "+") == "−0.500 ± 0.000"
