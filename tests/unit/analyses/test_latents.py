"""[c; z] and posterior means of small models, against what the models give example by example."""

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline_lib.analyses.distances import measure_distances
from pipeline_lib.analyses.latents import encode
from pipeline_lib.compute.device import seeded
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.order import BatchOrder
from reference.examples import examples_of, leaves
from reference.separation import Separated
from unit.model_fixtures import GROUPS, make_dataset, make_model

SEED, STEPS, THRESHOLD = 4, 3, 0.6


def dataset_of(system):
    """22 examples, with clusters where the system is given any."""
    dataset = make_dataset(22)
    if system != "k_cvae_bow":
        dataset.beside = {}
    return dataset


def distances(system, threshold=THRESHOLD):
    model, dataset = make_model(system), dataset_of(system)
    order = BatchOrder(dataset, 8, 2, SEED)
    rows = measure_distances(model, dataset, order, STEPS, threshold, SEED).to_pylist()
    return model, [dataset.batch(order.rows(step)) for step in range(STEPS)], rows


@pytest.mark.parametrize("system", ["k_cvae_bow", "sepacvae", "released", "cvae_bow"])
def test_distances_are_those_of_a_loop_over_the_batches_of_training(system):
    model, batches, rows = distances(system)
    for step, batch in enumerate(batches):
        with torch.no_grad():
            likelihood = model.likelihood(batch, seeded(torch.device("cpu"), SEED, step))
            context = model.encode_context(batch)
        cosine = torch.nn.functional.cosine_similarity
        inner, inter = [], []
        for i, j in combinations(range(len(batch)), 2):
            if system == "cvae_bow":
                same = float(cosine(context[i], context[j], dim=0)) > THRESHOLD
            else:
                same = int(likelihood.group[i]) == int(likelihood.group[j])
            value = float(cosine(likelihood.condition[i], likelihood.condition[j], dim=0))
            (inner if same else inter).append(value)
        assert rows[step]["batch"] == step
        assert (rows[step]["inner_pairs"], rows[step]["inter_pairs"]) == (len(inner), len(inter))
        assert rows[step]["inner"] == (pytest.approx(np.mean(inner)) if inner else None)
        assert rows[step]["inter"] == pytest.approx(np.mean(inter))


def test_a_batch_without_a_pair_above_the_threshold_is_kept_with_an_empty_cell():
    _, _, rows = distances("cvae", threshold=1.5)
    assert [row["inner"] for row in rows] == [None] * STEPS
    assert all(row["inner_pairs"] == 0 and row["inter"] is not None for row in rows)


@pytest.mark.parametrize("system", ["cvae", "k_cvae_bow", "sepacvae"])
def test_latents_stand_in_the_order_of_the_pairs(system):
    model, dataset = make_model(system), dataset_of(system)
    texts = pa.table({"example_id": np.arange(22)[::-1], "label": pa.array([None, *range(21)], pa.int32())})
    table = encode(model, texts, dataset, SEED)
    assert table["example_id"].to_pylist() == texts["example_id"].to_pylist()
    assert table["label"].to_pylist() == texts["label"].to_pylist()
    everything = dataset.batch(np.arange(22))
    with torch.no_grad():
        if system == "sepacvae":
            examples = zip(examples_of(everything), table["group"].to_pylist(), strict=True)
            reference = Separated(leaves(model), GROUPS, longest=0, options={})
            contexts = [(reference.context(example, group), example.response) for example, group in examples]
            mean = torch.stack([reference.posterior(*each)[0] for each in contexts])
        else:
            mean = model.distributions(everything)[1].mean
    np.testing.assert_allclose(np.array(table["posterior_mean"].to_pylist()), mean.numpy(), atol=1e-6)
    if system == "k_cvae_bow":
        assert table["group"].to_pylist() == dataset.beside["group"].tolist()
    assert table["group"].null_count == (22 if system == "cvae" else 0)


def test_a_system_without_a_latent_variable_is_an_error_that_names_the_setting():
    dataset = dataset_of("seq2seq")
    with pytest.raises(PipelineError, match="gives no condition") as error:
        measure_distances(make_model("seq2seq"), dataset, BatchOrder(dataset, 8, 2, SEED), 1, 0.9, SEED)
    assert "figures.<name>.systems" in str(error.value)
    assert "remedy" in str(error.value)
