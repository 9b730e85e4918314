"""Counting and likelihood metrics in closed cases, and whole files of responses."""

import importlib
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.config.metrics import Metrics
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.metrics import named
from pipeline_lib.metrics.ari import ARI
from pipeline_lib.metrics.base import Metric, Score
from pipeline_lib.metrics.collection import collect
from pipeline_lib.metrics.distinct import Distinct, Distinct1, Distinct2
from pipeline_lib.metrics.intervals import bootstrap_sums, interval
from pipeline_lib.metrics.items import Items, encode
from pipeline_lib.metrics.kl import KL
from pipeline_lib.metrics.length import Length
from pipeline_lib.metrics.named import metric_class, metric_names
from pipeline_lib.metrics.nmi import NMI
from pipeline_lib.metrics.suite import Files, make_metrics, needs_vectors, recorded, score_file
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.schemas.scores import SCORES
from pipeline_lib.schemas.vectors import vectors_schema as vectors_schema
from pipeline_lib.vectors.space import VectorSpace
from unit.refusals import refusal

SETTINGS = Metrics(bootstrap=50)
NAMES = metric_names()
EXACT = {"nll": [4.0, 6.0], "kl": [0.0, 0.0], "bound": [4.0, 6.0], "nll_importance": [4.0, 6.0]}
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
        **(likelihood or {}),
        **changes,
    }
    return pa.table({name: columns.get(name, [None] * n) for name in RESPONSES.names}).cast(RESPONSES)


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


class Distinct3(Distinct):
    """No table shows it; the counting must not know how long an n-gram is."""

    name, order, signature = "distinct-3", 3, "distinct-3|v:1"


TRIGRAMS_TOO = {1: Distinct1, 2: Distinct2, 3: Distinct3}


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c"]), max_size=6), min_size=1, max_size=8), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_distinct_is_the_size_of_the_set_over_the_size_of_the_list(texts, order):
    joined = [" ".join(text) for text in texts]
    grams = [tuple(t[i : i + order]) for t in texts for i in range(len(t) - order + 1)]
    found = TRIGRAMS_TOO[order]()(Items.of(joined, joined, joined))
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
    found = [metric_class(name)()(items).mean for name in ("ppl", "ppl-bound", "ppl-importance")]
    np.testing.assert_allclose(found, np.exp(np.array([10.0, 14.0, 12.5]) / 8))
    assert KL()(items).mean == 2.0


def test_without_a_latent_variable_the_three_perplexities_are_one_and_kl_is_undefined():
    items = Items.from_table(responses(likelihood={"nll": [4.0, 6.0], "kl": [0.0, 0.0]}))
    found = [metric_class(name)()(items).mean for name in ("ppl", "ppl-bound", "ppl-importance")]
    np.testing.assert_allclose(found, np.exp(10 / 8))
    assert KL()(items).mean is None


def test_without_a_likelihood_perplexity_is_undefined():
    assert metric_class("ppl")()(Items.from_table(responses())).mean is None


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_likelihood_in_some_rows_only_is_an_error_that_names_the_pair(value):
    with pytest.raises(PipelineError, match="'nll'") as error:
        Items.from_table(responses(likelihood={"nll": [4.0, value]}))
    assert "example 3" in error.value.where


def test_groups_are_recovered_whatever_their_order():
    table = pa.concat_tables([responses(group=[1, 0], label=[4, 4]), responses(group=[1, 0], label=[6, 6])])
    assert NMI()(Items.from_table(table)).mean == pytest.approx(0, abs=1e-9)
    assert ARI()(Items.from_table(responses(group=[1, 0], label=[4, 6]))).mean == 1.0
    assert ARI()(Items.from_table(responses(label=[None, None]))).mean is None


def test_items_without_a_label_do_not_count_in_group_recovery():
    table = pa.concat_tables([responses(group=[1, 0], label=[4, 6]), responses(group=[1, 1], label=[None, None])])
    found = ARI()(Items.from_table(table))
    assert (found.mean, found.n) == (1.0, 2)


def test_the_interval_of_examples_that_are_said_again_in_their_dialogue_is_that_of_each_once(tmp_path):
    rng = np.random.default_rng(2)
    texts = [" ".join(f"w{word}" for word in rng.integers(0, 9, rng.integers(1, 9))) for _ in range(20)]

    def limits(times):
        ids = rng.permutation(20 * times)  # examples of one dialogue lie apart, and not in the order of their ids
        dialogue = ids // times
        columns = {
            "example_id": ids,
            "sample": np.zeros_like(ids),
            "selection": ["none"] * len(ids),
            **{
                side: [texts[(one + skip) % 20] for one in dialogue]
                for side, skip in (("reference", 0), ("response", 7))
            },
            "context": ["how"] * len(ids),
            "tokens": np.full_like(ids, 5),
            "nll": dialogue / 7.0,
            "kl": np.zeros(len(ids)),
        }
        table = pa.table({name: columns.get(name, [None] * len(ids)) for name in RESPONSES.names}).cast(RESPONSES)
        write_parquet(tmp_path / "responses.parquet", table, RESPONSES)
        asked = {"example_id": ids[::-1], "dialogue_id": [f"d{99 - one}" for one in dialogue[::-1]], "turn": ids}
        asked |= {side: columns[side][::-1] for side in ("context", "response")}
        known = pa.table({name: asked.get(name, [None] * len(ids)) for name in EXAMPLES.names}).cast(EXAMPLES)
        write_parquet(tmp_path / "examples.parquet", known, EXAMPLES)
        files = Files(tmp_path / "responses.parquet", examples=tmp_path / "examples.parquet")
        rows, items = score_file(files, ["ppl", "BLEU-1", "corpus-BLEU"], SETTINGS, 1)
        assert items.sort_by("example_id")["dialogue"].to_pylist() == np.arange(20).repeat(times).tolist()
        return {row["metric"]: (row["low"], row["high"]) for row in rows if row["low"] is not None}

    once = limits(1)
    assert {"ppl", "BLEU-1", "corpus-BLEU"} <= set(once)
    assert limits(5) == {name: pytest.approx(own) for name, own in once.items()}


def test_the_interval_of_a_mean_has_the_width_that_theory_gives():
    values = np.random.default_rng(0).normal(size=4000)
    low, high = interval(bootstrap_sums([values[:, None]], 1000, seed=1)[0][:, 0] / 4000)
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(4000), rel=0.1)
    assert low < values.mean() < high


def test_each_selection_is_scored_by_itself(files):
    write, vectors = files
    better = responses("oracle", LATENT, response=["i am fine .", "no way"])
    rows, per_item = score_file(Files(write(responses("context", LATENT), better), vectors), NAMES, SETTINGS, seed=1)
    assert scores_of(rows, "oracle")["Average"]["value"] == pytest.approx(1)
    assert scores_of(rows, "context")["Average"]["value"] < 1
    assert per_item.num_rows == 4
    assert per_item["example_id"].to_pylist() == [3, 7, 3, 7]


def test_the_bleu_that_the_settings_choose_has_the_plain_name_and_the_others_are_kept(files):
    write, vectors = files
    rows, _ = score_file(
        Files(write(responses()), vectors), ["BLEU-2"], Metrics(bleu_smoothing="current", bootstrap=40), seed=1
    )
    names = scores_of(rows)
    assert "smooth:method7-current|weights:cumulative" in names["BLEU-2"]["signature"]
    assert {"BLEU-2|current|onehot", "BLEU-2|legacy|cumulative", "BLEU-2|legacy|onehot"} <= names.keys()
    assert "BLEU-2|current|cumulative" not in names


def test_scores_fit_their_schema_and_repeat_exactly(files):
    write, vectors = files
    path = write(responses(likelihood=LATENT), metadata={"active_units": "5"})
    rows, _ = score_file(Files(path, vectors), NAMES, SETTINGS, seed=1)
    again, _ = score_file(Files(path, vectors), NAMES, SETTINGS, seed=1)
    assert rows == again
    assert scores_of(rows)["active-units"]["value"] == 5
    assert scores_of(rows)["ppl"]["low"] <= scores_of(rows)["ppl"]["value"] <= scores_of(rows)["ppl"]["high"]
    assert scores_of(rows)["distinct-1"]["low"] is None
    run = {"corpus": "c", "split": "test", "system": "s", "seed": 1}
    assert pa.Table.from_pylist([run | row for row in rows], SCORES).num_rows == len(rows)


def test_a_pair_twice_and_no_pairs_at_all_are_errors(files):
    write, vectors = files
    with pytest.raises(PipelineError, match="sample 0 of example 7 occurs more than once"):
        score_file(Files(write(responses(), responses()), vectors), NAMES, SETTINGS, seed=1)
    with pytest.raises(PipelineError, match="no responses"):
        score_file(Files(write(responses().slice(0, 0)), vectors), NAMES, SETTINGS, seed=1)


def test_every_metric_is_found_by_its_name_and_states_what_tables_need():
    names = metric_names()
    assert len(set(names)) == len(names)
    space = VectorSpace(pa.array(["a"]), np.ones((1, 2), np.float32), "s@0")
    for name in names:
        kind = metric_class(name)
        metric = kind.make(SETTINGS, space, "english")
        assert (kind.name, metric.name) == (name, name)
        assert metric.signature.startswith(f"{name}|")
        assert re.search(r"\|v:\d$", metric.signature)
        assert kind.meaning
        assert not kind.meaning.endswith(".")
        assert kind.better in ("higher", "lower", None)
        assert kind.by_item in ("", "repeats", *names)


def test_an_unknown_metric_names_the_nearest(files):
    write, vectors = files
    with pytest.raises(PipelineError, match="no metric 'ppl-buond'") as caught:
        score_file(Files(write(responses()), vectors), ["length", "ppl-buond"], SETTINGS, seed=1)
    assert "'ppl-bound'" in caught.value.expected
    assert caught.value.remedy


def test_a_metric_in_the_wrong_file_is_told_which_file_it_must_be_in(tmp_path, monkeypatch):
    (tmp_path / "misnamed.py").write_text(
        "from pipeline_lib.metrics.length import Length\n\nclass Mine(Length):\n    name = 'my-misnamed'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(named, "_modules", lambda: [importlib.import_module("misnamed")])
    error = refusal(lambda: metric_class("my-misnamed"))
    assert error.expected == f"its class Mine in my_misnamed.py; it is in {tmp_path / 'misnamed.py'}"


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"name": "tokens"}, "column of the responses"),
        ({"name": "group"}, "column of the responses"),
        ({"name": "bound"}, "column of the responses"),
        ({"name": "dialogue"}, "column of the responses"),
        ({"better": "larger"}, "better = 'larger'"),
        ({"signature": None}, "no signature"),
        ({"meaning": None}, "no meaning"),
    ],
)
def test_a_class_that_does_not_state_what_tables_need_is_refused_before_work(monkeypatch, attributes, problem):
    stated = {"name": "mine", "meaning": "x", "signature": "mine|v:1", "__call__": Length.__call__}
    stated |= {"__module__": __name__} | attributes
    kind = type("Mine", (Metric,), {key: value for key, value in stated.items() if value is not None})
    monkeypatch.setattr(named, "known_metric", lambda name: kind)
    error = refusal(lambda: metric_class("mine"))
    assert problem in error.problem
    assert error.where == f"{__file__}, class Mine"


@pytest.mark.parametrize(
    ("score", "problem"),
    [
        (Score(float("nan"), None, 2), "the value nan"),
        (Score(float("inf"), None, 2), "the value inf"),
        (Score(0.5, np.array([0.5, np.nan]), 2), "1 values in per_item that are not finite"),
        (Score(0.5, np.array([0.5]), 2), "1 rows of per_item for 2 responses"),
        (Score(0.5, None, 2, parts=np.ones((3, 2))), "3 rows of parts for 2 examples"),
        (0.5, "0.5, which is no Score"),
    ],
)
def test_a_result_that_no_table_could_compare_is_an_error_that_names_the_metric(files, monkeypatch, score, problem):
    write, _ = files
    monkeypatch.setattr(Length, "__call__", lambda *given: score)
    error = refusal(lambda: score_file(Files(write(responses())), ["length"], SETTINGS, seed=1))
    assert "'length'" in error.problem
    assert problem in error.problem
    assert error.where.endswith("length.py")


def test_a_perplexity_that_overflows_is_recorded(files):
    write, _ = files
    huge = write(responses(likelihood={"nll": [1e4, 1e4]}))
    with np.errstate(over="ignore", invalid="ignore"):
        rows, _ = score_file(Files(huge), ["ppl"], SETTINGS, seed=1)
    assert scores_of(rows)["ppl"]["value"] == np.inf


def test_the_metric_of_the_page_on_adding_one_scores_what_it_says():
    """docs/adding-a-metric.md, against a search through plain texts."""
    page = (Path(__file__).parents[3] / "docs/adding-a-metric.md").read_text(encoding="utf-8")
    found = {}
    exec(page.split("```python")[1].split("\n", 1)[1].split("```")[0], found)
    metric = found["Questions"]()
    texts = ["why ?", "no .", "", "? or ?"]
    score = metric(Items.of([""] * 4, ["x"] * 4, texts))
    assert score.per_item.tolist() == ["?" in text for text in texts]
    assert (score.mean, score.n_empty, metric.better, metric.fewer_digits) == (0.5, 1, None, 0)
    assert metric(Items.of([""], ["x"], ["no"])).mean == 0


def test_a_part_of_the_examples_has_the_scores_of_a_file_with_their_responses_alone(files, tmp_path):
    write, vectors = files
    part = [{"example_id": 3, "dialogue_id": "d", "turn": 0, "context": "go", "response": "no way"}]
    write_parquet(tmp_path / "part.parquet", pa.Table.from_pylist(part, EXAMPLES), EXAMPLES)
    alone = score_file(Files(write(responses(likelihood=LATENT).slice(1)), vectors), NAMES, SETTINGS, seed=1)
    both = write(responses(likelihood=LATENT), metadata={"active_units": "2"})
    found = score_file(Files(both, vectors, only=tmp_path / "part.parquet"), NAMES, SETTINGS, seed=1)
    assert found[0] == alone[0]
    assert found[1].equals(alone[1])
    assert scores_of(found[0])["active-units"]["value"] is None  # the file's number is of the whole split


def test_a_run_records_the_metrics_that_it_asks_for_and_what_goes_with_them(files):
    write, vectors = files
    rows, _ = score_file(Files(write(responses()), vectors), ["length", "kl"], SETTINGS, seed=1)
    assert [row["metric"] for row in rows] == ["length", "kl", "converged"]
    assert recorded(["corpus-BLEU", "distinct-1"]) == ["corpus-BLEU", "distinct-1", "BLEU-4", "converged"]
    variants = {metric.name for metric in make_metrics(["BLEU-1"], SETTINGS, None)}
    assert variants == {
        *("BLEU-1", "BLEU-1|legacy|onehot", "BLEU-1|inverted|cumulative", "BLEU-1|inverted|onehot"),
        *("BLEU-1|current|cumulative", "BLEU-1|current|onehot"),
    }


@pytest.mark.parametrize("apart", ["apart-random", "apart-seen"])
def test_a_system_that_stands_apart_is_recorded_as_such_with_every_item_and_no_other_is(files, apart):
    write, vectors = files
    rows, items = score_file(Files(write(responses(), metadata={"apart": apart}), vectors), ["length"], SETTINGS, 1)
    assert scores_of(rows)[apart]["value"] == 1
    assert Items.from_table(items).apart == apart
    rows, items = score_file(Files(write(responses()), vectors), ["length"], SETTINGS, 1)
    assert not any(row["metric"].startswith("apart") for row in rows)
    assert Items.from_table(items).apart == ""


def test_a_corpus_without_vectors_has_every_metric_that_needs_none(files):
    write, vectors = files
    path = write(responses(likelihood=LATENT))
    without = [name for name in NAMES if not needs_vectors([name])]
    assert (
        score_file(Files(path), without, SETTINGS, seed=1)[0]
        == score_file(Files(path, vectors), without, SETTINGS, seed=1)[0]
    )
    with pytest.raises(PipelineError, match="Average needs word vectors") as caught:
        score_file(Files(path), ["length", "Average"], SETTINGS, seed=1)
    assert "Average" in caught.value.remedy


def test_nats_per_example_are_the_means_that_one_would_add_up_by_hand():
    items = Items.from_table(responses(likelihood=LATENT))
    found = {name: metric_class(name)()(items).mean for name in ("nll", "nll-bound", "nll-importance", "kl")}
    assert found == {"nll": 5.0, "nll-bound": 7.0, "nll-importance": 6.25, "kl": 2.0}
    exact = Items.from_table(responses(likelihood=EXACT))
    assert {metric_class(name)()(exact).mean for name in ("nll", "nll-bound", "nll-importance")} == {5.0}


def test_an_implicit_prior_has_a_reconstruction_and_no_likelihood():
    items = Items.from_table(responses(likelihood={"nll": [4.0, 6.0]}))
    found = {name: metric_class(name)()(items).mean for name in ("nll", "nll-bound", "nll-importance", "ppl-bound")}
    assert found == {"nll": 5.0, "nll-bound": None, "nll-importance": None, "ppl-bound": None}
    assert metric_class("ppl-bound")().parts(items) is None


def test_words_alone_leave_out_the_end_token_in_nats_and_in_tokens():
    words = Items.from_table(responses(likelihood=LATENT | {"nll_end": [1.0, 0.5]}))
    assert metric_class("nll-words")()(words).mean == ((5 - 1) + (9 - 0.5)) / 2
    assert metric_class("ppl-words")()(words).mean == pytest.approx(np.exp((4 + 8.5) / (4 + 2)))
    unknown = Items.from_table(responses(likelihood=LATENT))
    assert metric_class("nll-words")()(unknown).mean is metric_class("ppl-words")()(unknown).mean is None


@pytest.mark.parametrize(("told", "value"), [({"converged": "true"}, 1), ({"converged": "false"}, 0), ({}, None)])
def test_whether_training_had_converged_is_recorded_of_a_system_that_was_trained(files, told, value):
    write, vectors = files
    rows, _ = score_file(Files(write(responses(), metadata=told), vectors), ["length"], SETTINGS, seed=1)
    assert scores_of(rows)["converged"]["value"] == value


def test_a_system_that_only_tells_likelihoods_has_no_value_in_a_metric_of_texts(files):
    """A floor such as the entropy of a generated corpus: nats of the references, null in place of every response."""
    write, vectors = files
    silent = responses(likelihood=EXACT, response=[None, None], group=[None, None])
    rows, items = score_file(Files(write(silent), vectors), NAMES, SETTINGS, seed=1)
    told = {row["metric"]: row["value"] for row in rows if row["value"] is not None and "|" not in row["metric"]}
    exact = {"nll": 5.0, "nll-bound": 5.0, "nll-importance": 5.0}
    assert told == exact | {name: pytest.approx(np.exp(10 / 8)) for name in ("ppl", "ppl-bound", "ppl-importance")}
    assert {"length", "BLEU-1", "coherence"}.isdisjoint(items.column_names)
    assert scores_of(rows)["length"]["n"] == 0
    half = responses(response=["fine .", None])
    with pytest.raises(PipelineError, match="1 of 2 responses are null") as caught:
        score_file(Files(write(half), vectors), NAMES, SETTINGS, seed=1)
    assert caught.value.remedy


def test_the_largest_group_is_the_share_of_the_most_used_one():
    table = pa.concat_tables([responses(group=[1, 0]), responses(group=[1, 1])])
    assert metric_class("largest-group")()(Items.from_table(table)).mean == 0.75
    assert metric_class("largest-group")()(Items.from_table(responses(group=[None, None]))).mean is None


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
