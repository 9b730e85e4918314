"""What metrics count: references, responses to one example, likelihoods, comparability, intervals, rows of scores."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline_lib.config.metrics import Metrics
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.metrics.average import Average
from pipeline_lib.metrics.extrema import Extrema
from pipeline_lib.metrics.greedy import Greedy
from pipeline_lib.metrics.intervals import bootstrap_sums, interval, resamples
from pipeline_lib.metrics.items import Items, ReferenceLikelihood
from pipeline_lib.metrics.named import known_metric, metric_class
from pipeline_lib.metrics.suite import Files, make_metrics, score_file
from pipeline_lib.metrics.uptake import things, uptake
from pipeline_lib.schemas.references import REFERENCES
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.schemas.vectors import vectors_schema
from pipeline_lib.vectors.space import VectorSpace

# three responses to example 9, one to example 4, in no order
ROWS = {
    "example_id": [9, 4, 9, 9],
    "sample": [1, 0, 0, 2],
    "selection": ["none"] * 4,
    "context": ["how ?", "go", "how ?", "how ?"],
    "reference": ["so so", "no", "so so", "so so"],
    "response": ["so", "no no", "", "well so so"],
    "tokens": [3, 2, 3, 3],
    "nll": [4.0, 6.0, 5.0, 6.0],
    "kl": [1.0, 2.0, 1.5, 0.5],
    "bound": [5.0, 8.0, 6.5, 6.5],
    "nll_importance": [4.5, 7.0, 6.0, 6.0],
    "nll_end": [0.5, 1.0, 0.5, 0.5],
    "group_nats": [0.7, 0.7, 0.7, 0.7],
}
FURTHER = pa.table({"example_id": [4, 9, 4], "reference": ["no no no", "well so", "yes"]}, schema=REFERENCES)


def table(**changes) -> pa.Table:
    columns = ROWS | changes
    return pa.table({name: columns.get(name, [None] * 4) for name in RESPONSES.names}).cast(RESPONSES)


def items(**changes) -> Items:
    return Items.from_table(table(**changes))


def likelihood(kl: list[float] | None) -> ReferenceLikelihood:
    numbers = (np.array([value, value]) for value in (4.0, 6.0, 5.0, 1.0))
    nll, bound, importance, end = numbers
    return ReferenceLikelihood(np.ones(2), nll, None if kl is None else np.array(kl), bound, importance, end)


# --- items ---


def test_responses_to_one_example_count_as_their_average_whatever_their_order():
    found = items()
    assert (len(found), found.n_examples, found.example.tolist()) == (4, 2, [1, 0, 1, 1])
    assert found.by_example(np.array([1.0, 10.0, 2.0, 6.0])).tolist() == [10.0, 3.0]
    pairs = np.array([[1.0, 2.0], [10.0, 20.0], [2.0, 4.0], [6.0, 0.0]])
    assert found.by_example(pairs).tolist() == [[10.0, 20.0], [3.0, 2.0]]
    assert metric_class("length")()(found).mean == ((1 + 0 + 3) / 3 + 2) / 2
    assert metric_class("length")()(found).n == 2


def test_where_each_example_has_one_response_values_stay_as_they_are():
    found = items(sample=[0] * 4, example_id=[9, 4, 3, 7])
    values = np.array([1.0, 10.0, 2.0, 6.0])
    assert found.example is None
    assert found.by_example(values) is values


def test_further_references_stand_beside_the_one_of_each_row_and_the_best_counts():
    found = Items.from_table(table(), further=FURTHER)
    words = found.vocabulary.to_pylist()
    texts = [" ".join(words[i] for i in found.references.ids[a:b]) for a, b in pairs_of(found.references.offsets)]
    assert texts == ["so so", "well so", "no", "no no no", "yes", "so so", "well so", "so so", "well so"]
    assert found.reference_item.tolist() == [0, 0, 1, 1, 1, 2, 2, 3, 3]
    assert found.matches.numerators[:, 0].tolist() == [1, 2, 0, 3]
    assert found.matches.reference_lengths.tolist() == [2, 1, 2, 2]  # of two equally near, the shorter


def pairs_of(offsets: np.ndarray) -> list[tuple[int, int]]:
    return list(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True))


def test_items_of_different_numbers_of_texts_are_refused():
    with pytest.raises(ValueError, match="2 contexts and 1 responses"):
        Items.of(["a", "b"], ["a"], ["a"])
    with pytest.raises(ValueError, match="references of other items"):
        Items.of(["a", "b"], [["a"], []], ["a", "b"])


@pytest.mark.parametrize(
    ("kl", "latent", "forms"),
    [  # reconstruction, bound, importance and words, of nll 4, bound 6, importance 5 and 1 for the end token
        ([0.5, 0.0], True, [4.0, 6.0, 5.0, 5.0]),
        ([0.0, 0.0], False, [4.0, 4.0, 4.0, 3.0]),
        (None, False, [4.0, 6.0, 5.0, 5.0]),
    ],
)
def test_a_system_without_a_latent_variable_has_one_likelihood_in_all_its_forms(kl, latent, forms):
    known = likelihood(kl)
    assert known.latent == latent
    found = [float(known.of(nats)[0]) for nats in ("reconstruction", "bound", "importance", "words")]
    assert found == forms


def test_kl_with_the_group_counted_adds_what_naming_it_takes():
    assert metric_class("kl")()(items()).mean == pytest.approx((2.0 + 1.0) / 2)
    assert metric_class("kl-total")()(items()).mean == pytest.approx((2.7 + 1.7) / 2, rel=1e-6)
    assert metric_class("kl-total")()(items(group_nats=[None] * 4)).mean == pytest.approx(1.5)
    zeros = items(kl=[0.0] * 4)
    assert metric_class("kl")()(zeros).mean is None
    assert metric_class("kl-total")()(zeros).mean == pytest.approx(0.7)  # the group alone is a latent variable
    nothing = items(kl=[0.0] * 4, group_nats=[None] * 4)
    assert metric_class("kl-total")()(nothing).mean is metric_class("kl-total")()(items(kl=[None] * 4)).mean is None
    assert metric_class("kl-total")()(nothing).n == 2


# --- which systems may be compared ---


def test_metrics_compare_only_systems_for_which_they_mean_the_same():
    latent, exact, silent = items(), items(kl=[0.0] * 4), items(response=[None] * 4)
    single = items(sample=[0] * 4, example_id=[1, 2, 3, 4])
    assert metric_class("ppl").competes(latent)
    assert metric_class("nll").competes(latent)
    assert not metric_class("ppl").competes(exact)
    assert not metric_class("nll").competes(exact)
    assert metric_class("ppl-bound").competes(exact)
    assert metric_class("ppl-bound")().parts(items(bound=[None] * 4)) is None
    assert metric_class("ppl-bound").competes(silent)
    assert not metric_class("length").competes(silent)
    assert not metric_class("distinct-1").competes(latent)  # several responses to a context
    assert metric_class("distinct-1").competes(single)
    assert not metric_class("distinct-1").competes(items(sample=[0] * 4, response=[None] * 4))


def test_a_name_of_no_metric_is_unknown_and_no_error():
    assert known_metric("length") is metric_class("length")
    assert known_metric("no-such-metric") is None
    assert known_metric("ppl-no-such") is None


def test_the_largest_group_counts_responses_and_the_items_of_the_table():
    found = metric_class("largest-group")()(items(group=[2, 0, 2, 2]))
    assert (found.mean, found.per_item, found.n) == (0.75, None, 2)


def test_without_groups_or_labels_no_item_counts_in_their_recovery():
    for name in ("NMI", "ARI"):
        for unknown in ({}, {"group": [1, 0, 1, 1]}, {"group": [1, None, 1, 1], "label": [None, 4, None, None]}):
            found = metric_class(name)()(items(**unknown))
            assert (found.mean, found.per_item, found.n) == (None, None, 0)
    assert (metric_class("largest-group")()(items()).n, metric_class("kl")()(items(kl=[None] * 4)).n) == (0, 2)


# --- what cannot be scored ---


@pytest.mark.parametrize("metric", [Average, Extrema, Greedy])
def test_references_that_cannot_be_compared_are_left_out_and_counted(metric):
    space = VectorSpace(pa.array(["a", "b"]), np.eye(2, dtype=np.float32), "s@0")
    references = [["", "a"], ["", ""], ["x", "b"], ["x", "y"], ["a", "b"], ["", "x"]]
    responses = ["a", "a", "b", "a", "", "a"]
    found = metric(space)(Items.of([""] * 6, references, responses))
    assert found.per_item.tolist() == pytest.approx([1, 0, 1, 0, 0, 0])
    assert (found.n, found.n_empty, found.n_oov) == (6, 4, 2)  # items with an empty text; else with an unknown one


def test_what_has_nothing_to_compare_is_counted_by_metrics_of_texts_alone():
    found = metric_class("kl")()(items())
    assert (found.n_empty, found.n_oov) == (0, 0)


def test_corpus_bleu_of_short_responses_is_the_brevity_penalty_times_the_precision():
    short = Items.of([""] * 2, ["a b c d e", "f g h"], ["a b c d", "f g"])  # one 4-gram; 6 tokens for 8
    assert metric_class("corpus-BLEU")()(short).mean == pytest.approx(np.exp(1 - 8 / 6))
    long = Items.of([""], ["a b c d"], ["a b c d e"])
    assert metric_class("corpus-BLEU")()(long).mean == pytest.approx((4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)


# --- intervals ---


def test_an_interval_is_the_central_95_percent():
    assert interval(np.arange(1001.0)) == pytest.approx((25.0, 975.0))


@pytest.mark.parametrize("times", [1, 64, 65, 150])
def test_each_resample_draws_as_many_items_as_there_are_and_none_depends_on_how_many_follow(times):
    drawn = np.concatenate(list(resamples(7, times, np.random.default_rng(3))))
    assert drawn.shape == (times, 7)
    assert (drawn.sum(axis=1) == 7).all()
    assert (drawn >= 0).all()
    if times > 1:
        assert len(np.unique(drawn, axis=0)) > times / 2


def test_metrics_are_summed_over_the_same_resamples():
    random = np.random.default_rng(0)
    one, two = random.normal(size=(9, 1)), random.normal(size=(9, 3))
    sums = bootstrap_sums([one, two], 100, seed=4)
    weights = np.concatenate(list(resamples(9, 100, np.random.default_rng(4))))
    for found, part in zip(sums, (one, two), strict=True):
        expected = [[sum(w * x for w, x in zip(row, column, strict=True)) for column in part.T] for row in weights]
        np.testing.assert_allclose(found, expected)


# --- rows of a file ---


@pytest.fixture
def scored(tmp_path):
    write_parquet(tmp_path / "responses.parquet", table(), RESPONSES, {"active_units": "3"})
    write_parquet(tmp_path / "references.parquet", FURTHER, REFERENCES)
    names = ["length", "corpus-BLEU", "ppl-bound", "ppl-importance", "active-units"]
    rows, per_item = score_file(
        Files(tmp_path / "responses.parquet", references=tmp_path / "references.parquet"),
        names,
        Metrics(bootstrap=200),
        seed=1,
        importance_samples=12,
    )
    return {row["metric"]: row for row in rows}, per_item


def test_a_row_of_scores_counts_examples_and_says_by_what_it_was_measured(scored):
    rows, _ = scored
    assert rows["length"] | {"low": 0, "high": 0} == {
        "selection": "none",
        "metric": "length",
        "value": (4 / 3 + 2) / 2,
        "low": 0,
        "high": 0,
        "n": 2,
        "n_empty": 1,
        "n_oov": 0,
        "signature": "length|unit:token|v:1",
    }
    assert rows["ppl-bound"]["signature"] == "ppl-bound|kind:bound|pooled:corpus|end:counted|v:1"
    assert rows["ppl-importance"]["signature"].endswith("|v:1|samples:12")
    assert rows["corpus-BLEU"]["signature"].endswith("|v:1|references:several")
    assert rows["active-units"]["value"] == 3.0


def test_intervals_are_of_examples_and_of_the_metric_that_they_stand_beside(scored):
    rows, _ = scored
    by_example = [2.0, 4 / 3]  # two examples: all resamples of a pair are these three
    means = {by_example[0], sum(by_example) / 2, by_example[1]}
    assert {rows["length"][end] for end in ("low", "high")} == {max(means), min(means)}
    bounds = {"low": np.exp(6.0 / 3), "high": np.exp(8.0 / 2)}
    for end, value in bounds.items():
        assert rows["ppl-bound"][end] == pytest.approx(value, rel=1e-6)
    assert rows["active-units"]["low"] is rows["active-units"]["high"] is None


def test_values_of_single_responses_are_in_the_order_of_example_and_sample(scored):
    _, per_item = scored
    keys = zip(per_item["example_id"].to_pylist(), per_item["sample"].to_pylist(), strict=True)
    assert list(keys) == [(4, 0), (9, 0), (9, 1), (9, 2)]
    assert per_item["length"].to_pylist() == [2, 0, 1, 3]
    assert "corpus-BLEU" not in per_item.column_names


def test_uptake_asks_contexts_that_name_a_thing_alone():
    one, other = sorted(things())[:2]
    contexts = pa.chunked_array([[f"my {one} ?", f"{one} and {other}", "hello", f"a {other}"]])
    responses = pa.chunked_array([[f"your {one} !", f"the {other}", one, f"the {one}"]])
    assert uptake(contexts, responses) == [True, True, False]


def test_a_file_of_responses_may_lack_columns_of_likelihoods():
    without = table().drop_columns(["group_nats", "nll_end", "context_use", "z_use", "mutual_information"])
    known = Items.from_table(without).likelihood
    assert known.group_nats is known.nll_end is known.context_use is known.z_use is known.mutual_information is None
    assert known.nll.tolist() == ROWS["nll"]


def test_further_references_of_another_form_are_refused(tmp_path):
    write_parquet(tmp_path / "responses.parquet", table(), RESPONSES)
    other = pa.table({"example_id": ["a"], "reference": ["b"]})
    write_parquet(tmp_path / "references.parquet", other, other.schema)
    with pytest.raises(PipelineError, match="example_id") as error:
        score_file(
            Files(tmp_path / "responses.parquet", references=tmp_path / "references.parquet"), ["length"], Metrics(), 1
        )
    assert "references.parquet" in str(error.value.where)


def test_stop_words_are_english_unless_the_corpus_says_otherwise(tmp_path):
    vectors = pa.table({"token": ["a"], "vector": pa.FixedSizeListArray.from_arrays(np.ones(2, np.float32), 2)})
    write_parquet(tmp_path / "v.parquet", vectors, vectors_schema(2), {"source": "tiny", "sha256": "ab" * 32})
    [metric] = make_metrics(["coherence"], Metrics(), tmp_path / "v.parquet")
    assert "|stopwords:drop(summa.english)|" in metric.signature
