"""Counting and likelihood metrics in closed cases, and whole files of responses."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.config.metrics import Metrics
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.metrics.base import Metric
from pipeline_lib.metrics.collection import collect
from pipeline_lib.metrics.distinct import Distinct
from pipeline_lib.metrics.group_recovery import GroupRecovery
from pipeline_lib.metrics.intervals import bootstrap_sums, interval
from pipeline_lib.metrics.items import Items, encode
from pipeline_lib.metrics.kl import KL
from pipeline_lib.metrics.length import Length
from pipeline_lib.metrics.perplexity import Perplexity
from pipeline_lib.metrics.suite import all_metrics, score_file
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.schemas.scores import SCORES
from pipeline_lib.schemas.vectors import vectors_schema as vectors_schema
from pipeline_lib.vectors.space import VectorSpace

SETTINGS = Metrics(bootstrap=50)
LATENT = {"nll": [4.0, 6.0], "kl": [1.0, 3.0], "bound": [5.0, 9.0], "nll_importance": [4.5, 8.0]}


def responses(selection="none", likelihood=None, **changes):
    n = 2
    columns = {
        "example_id": [7, 3],
        "sample": [0] * n,
        "selection": [selection] * n,
        "context": ["how are you ?", "go"],
        "reference": ["i am fine .", "no way"],
        "response": ["fine , thanks .", ""],
        "group": [0, 1],
        "label": [5, 2],
        "tokens": [5, 3],
        **{name: (likelihood or {}).get(name, [None] * n) for name in ("nll", "kl", "bound", "nll_importance")},
    }
    return pa.table(columns | changes).cast(RESPONSES)


@pytest.fixture
def files(tmp_path):
    def write(*tables, metadata=None):
        path = tmp_path / "responses.parquet"
        write_parquet(path, pa.concat_tables(tables), RESPONSES, metadata)
        return path

    vectors = tmp_path / "vectors.parquet"
    words = ["fine", "thanks", "how", "i", ".", "no", "way"]
    matrix = np.random.default_rng(0).normal(size=(len(words), 4)).astype(np.float32)
    table = pa.table({"token": words, "vector": pa.FixedSizeListArray.from_arrays(matrix.ravel(), 4)})
    write_parquet(vectors, table, vectors_schema(4), {"source": "tiny", "sha256": "ab" * 32})
    return write, vectors


def scores_of(rows, selection="none"):
    return {row["metric"]: row for row in rows if row["selection"] == selection}


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c"]), max_size=6), min_size=1, max_size=8), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_distinct_is_the_size_of_the_set_over_the_size_of_the_list(texts, order):
    joined = [" ".join(text) for text in texts]
    grams = [tuple(t[i : i + order]) for t in texts for i in range(len(t) - order + 1)]
    found = Distinct(order)(Items.of(joined, joined, joined))
    assert found.mean == pytest.approx(len(set(grams)) / len(grams) if grams else 0)


@given(st.lists(st.text("ab ", max_size=8), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_texts_split_at_spaces_and_an_empty_one_has_no_tokens(texts):
    vocabulary, (ragged,) = encode(pa.array(texts, pa.string()))
    words = vocabulary.take(pa.array(ragged.ids)).to_pylist()
    offsets = ragged.offsets
    assert [words[a:b] for a, b in pairwise(offsets)] == [text.split() for text in texts]


def test_length_counts_tokens_and_empty_responses():
    found = Length()(Items.of([""] * 3, ["x"] * 3, ["a b c", "", "a"]))
    assert (found.mean, found.n_empty) == (pytest.approx(4 / 3), 1)


def test_the_three_perplexities_pool_nats_and_tokens_over_the_corpus():
    items = Items.from_table(responses(likelihood=LATENT))
    found = [Perplexity(kind)(items).mean for kind in ("reconstruction", "bound", "importance")]
    np.testing.assert_allclose(found, np.exp(np.array([10.0, 14.0, 12.5]) / 8))
    assert KL()(items).mean == 2.0


@pytest.mark.parametrize("kl", [[None, None], [0.0, 0.0]])
def test_without_a_latent_variable_the_three_perplexities_are_one_and_kl_is_undefined(kl):
    items = Items.from_table(responses(likelihood={"nll": [4.0, 6.0], "kl": kl}))
    found = [Perplexity(kind)(items).mean for kind in ("reconstruction", "bound", "importance")]
    np.testing.assert_allclose(found, np.exp(10 / 8))
    assert KL()(items).mean is None


def test_without_a_likelihood_perplexity_is_undefined():
    assert Perplexity("reconstruction")(Items.from_table(responses())).mean is None


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_likelihood_in_some_rows_only_is_an_error_that_names_the_pair(value):
    with pytest.raises(PipelineError, match="'nll'") as error:
        Items.from_table(responses(likelihood={"nll": [4.0, value]}))
    assert "example 3" in error.value.where


def test_groups_are_recovered_whatever_their_order():
    table = pa.concat_tables([responses(group=[1, 0], label=[4, 4]), responses(group=[1, 0], label=[6, 6])])
    assert GroupRecovery("NMI")(Items.from_table(table)).mean == pytest.approx(0, abs=1e-9)
    assert GroupRecovery("ARI")(Items.from_table(responses(group=[1, 0], label=[4, 6]))).mean == 1.0
    assert GroupRecovery("ARI")(Items.from_table(responses(label=[None, None]))).mean is None


def test_items_without_a_label_do_not_count_in_group_recovery():
    table = pa.concat_tables([responses(group=[1, 0], label=[4, 6]), responses(group=[1, 1], label=[None, None])])
    found = GroupRecovery("ARI")(Items.from_table(table))
    assert (found.mean, found.n) == (1.0, 2)


def test_the_interval_of_a_mean_has_the_width_that_theory_gives():
    values = np.random.default_rng(0).normal(size=4000)
    low, high = interval(bootstrap_sums([values[:, None]], 1000, seed=1)[0][:, 0] / 4000)
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(4000), rel=0.1)
    assert low < values.mean() < high


def test_each_selection_is_scored_by_itself(files):
    write, vectors = files
    better = responses("oracle", LATENT, response=["i am fine .", "no way"])
    rows, per_item = score_file(write(responses("context", LATENT), better), vectors, SETTINGS, seed=1)
    assert scores_of(rows, "oracle")["Average"]["value"] == pytest.approx(1)
    assert scores_of(rows, "context")["Average"]["value"] < 1
    assert per_item.num_rows == 4
    assert per_item["example_id"].to_pylist() == [3, 7, 3, 7]


def test_the_bleu_that_the_settings_choose_has_the_plain_name_and_the_others_are_kept(files):
    write, vectors = files
    rows, _ = score_file(write(responses()), vectors, Metrics(bleu_smoothing="current", bootstrap=5), seed=1)
    names = scores_of(rows)
    assert "smooth:method7-current|weights:cumulative" in names["BLEU-2"]["signature"]
    assert {"BLEU-2|current|onehot", "BLEU-2|legacy|cumulative", "BLEU-2|legacy|onehot"} <= names.keys()
    assert "BLEU-2|current|cumulative" not in names


def test_scores_fit_their_schema_and_repeat_exactly(files):
    write, vectors = files
    path = write(responses(likelihood=LATENT), metadata={"active_units": "5"})
    rows, _ = score_file(path, vectors, SETTINGS, seed=1)
    again, _ = score_file(path, vectors, SETTINGS, seed=1)
    assert rows == again
    assert scores_of(rows)["active-units"]["value"] == 5
    assert scores_of(rows)["ppl"]["low"] <= scores_of(rows)["ppl"]["value"] <= scores_of(rows)["ppl"]["high"]
    assert scores_of(rows)["distinct-1"]["low"] is None
    run = {"corpus": "c", "split": "test", "system": "s", "seed": 1}
    assert pa.Table.from_pylist([run | row for row in rows], SCORES).num_rows == len(rows)


def test_a_pair_twice_and_no_pairs_at_all_are_errors(files):
    write, vectors = files
    with pytest.raises(PipelineError, match="sample 0 of example 7 stands more than once"):
        score_file(write(responses(), responses()), vectors, SETTINGS, seed=1)
    with pytest.raises(PipelineError, match="no responses"):
        score_file(write(responses().slice(0, 0)), vectors, SETTINGS, seed=1)


def test_every_metric_keeps_the_one_interface():
    space = VectorSpace(pa.array(["a"]), np.ones((1, 2), np.float32), "s@0")
    metrics = all_metrics(space, SETTINGS)
    assert all(isinstance(metric, Metric) for metric in metrics)
    assert len({metric.name for metric in metrics}) == len({metric.signature for metric in metrics}) == len(metrics)
    assert all(metric.signature.endswith("|v:1") for metric in metrics)


def score_table(path, system, seed):
    row = {"corpus": "c", "split": "test", "system": system, "seed": seed, "selection": "none", "metric": "length"}
    row |= {"value": 1.0, "low": None, "high": None, "n": 1, "n_empty": 0, "n_oov": 0, "signature": "s"}
    write_parquet(path, pa.Table.from_pylist([row], SCORES), SCORES)
    return path


def test_collected_scores_are_complete_or_an_error(tmp_path):
    files = [score_table(tmp_path / f"{seed}.parquet", "a", seed) for seed in (1, 2)]
    assert collect(files, ["c/test/a/1", "c/test/a/2"]).num_rows == 2
    with pytest.raises(PipelineError, match="1 of 2 runs have no scores") as missing:
        collect(files[:1], ["c/test/a/1", "c/test/a/2"])
    assert missing.value.where == "c/test/a/2"
    with pytest.raises(PipelineError, match="does not ask for"):
        collect(files, ["c/test/a/1"])
    with pytest.raises(PipelineError, match="2 values of one score"):
        collect([files[0], files[0]], ["c/test/a/1"])
