"""Paired tests: against scipy, on data where the null holds, and where it does not."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_lib.config.significance import Significance
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.metrics.items import Items, ReferenceLikelihood
from pipeline_lib.metrics.named import metric_class
from pipeline_lib.schemas.items import parts_of
from pipeline_lib.significance.comparisons import compare, compare_with
from pipeline_lib.significance.draws import Occurrences, Resamples, Swaps
from pipeline_lib.significance.families import leads
from pipeline_lib.significance.outputs import Outputs, by_split, read_outputs
from pipeline_lib.significance.paired import difference_intervals, draws_of, paired_p
from pipeline_lib.significance.statistics import DistinctRatio, Sums, competes

# columns of responses that no test here needs
UNTOLD = ("nll_importance", "group_nats", "context_use", "z_use", "mutual_information")


def means(*systems):
    n = len(systems[0])
    return Sums([np.asarray(s, float)[None, :, None] for s in systems], lambda sums: sums[..., 0] / n, np.arange(n))


def texts(rng, n=80, words=60):
    return [" ".join(f"w{i}" for i in rng.integers(0, words, rng.integers(0, 9))) for _ in range(n)]


def outputs(name, responses, per_item=None, seed=1):
    items = Items.of([""] * len(responses), ["w1 w2"] * len(responses), responses)
    per_item = {metric: values[None] for metric, values in (per_item or {}).items()}
    return Outputs(name, np.arange(len(responses)), {seed: items}, per_item)


def test_randomisation_agrees_with_scipy_on_a_small_case():
    from scipy.stats import permutation_test

    rng = np.random.default_rng(5)
    a = rng.normal(0.4, 1, 12)
    b = rng.normal(0.0, 1, 12)
    exact = permutation_test(
        (a, b),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    ).pvalue
    found = paired_p(means(a, b), 0, 1, Swaps(12, 20_000, seed=1))
    assert found == pytest.approx(exact, abs=0.012)  # three standard errors at 20,000 trials


@pytest.mark.parametrize("kind", [Swaps, Resamples])
def test_p_values_are_uniform_where_the_systems_do_not_differ(kind):
    from scipy.stats import kstest

    rng = np.random.default_rng(0)
    p = [paired_p(means(rng.normal(size=150), rng.normal(size=150)), 0, 1, kind(150, 200, seed)) for seed in range(300)]
    assert kstest(p, "uniform").pvalue > 0.01


@pytest.mark.parametrize("kind", [Swaps, Resamples])
def test_a_large_difference_gets_the_smallest_possible_p(kind):
    rng = np.random.default_rng(0)
    a = rng.normal(size=200)
    assert paired_p(means(a + 1, a), 0, 1, kind(200, 99, 1)) == pytest.approx(1 / 100)


def test_equal_systems_get_p_one():
    a = np.random.default_rng(0).normal(size=50)
    assert paired_p(means(a, a), 0, 1, Swaps(50, 100, 1)) == 1.0


def brute_distinct(chosen, order):
    grams = [tuple(t.split()[i : i + order]) for t in chosen for i in range(len(t.split()) - order + 1)]
    return len(set(grams)) / len(grams)


@pytest.fixture(params=[8_192, 7])
def _grams_at_once(request, monkeypatch):
    monkeypatch.setattr("pipeline_lib.significance.draws.GRAMS", request.param)


@pytest.mark.usefixtures("_grams_at_once")
@pytest.mark.parametrize("order", [1, 2])
def test_swapping_outputs_counts_distinct_again_as_one_trial_at_a_time_would(order):
    rng = np.random.default_rng(2)
    a, b = texts(rng), texts(rng)
    items = Items.of([""] * len(a), a, b)
    statistic = DistinctRatio(
        [[items.references], [items.responses]], len(items.vocabulary), order, np.arange(len(items))
    )
    draws = Swaps(len(a), 70, seed=3)
    here, there = statistic.resampled(0, 1, draws)
    swapped = np.unpackbits(draws._bits.view(np.uint8), axis=1)[:, :70].astype(bool)
    for trial in range(70):
        first = [y if s else x for x, y, s in zip(a, b, swapped[:, trial], strict=True)]
        second = [x if s else y for x, y, s in zip(a, b, swapped[:, trial], strict=True)]
        assert here[trial] == pytest.approx(brute_distinct(first, order), abs=1e-12)
        assert there[trial] == pytest.approx(brute_distinct(second, order), abs=1e-12)
    assert statistic.runs(0) == pytest.approx(brute_distinct(a, order), abs=1e-12)


@pytest.mark.usefixtures("_grams_at_once")
def test_drawing_items_counts_distinct_again_as_one_trial_at_a_time_would():
    rng = np.random.default_rng(2)
    a, b = texts(rng), texts(rng)
    items = Items.of([""] * len(a), a, b)
    draws = Resamples(len(a), 70, seed=3)
    _, there = DistinctRatio(
        [[items.references], [items.responses]], len(items.vocabulary), 2, np.arange(len(items))
    ).resampled(0, 1, draws)
    for trial in range(70):
        drawn = [text for text, times in zip(b, draws._counts[trial], strict=True) for _ in range(times)]
        assert there[trial] == pytest.approx(brute_distinct(drawn, 2), abs=1e-12)


def test_whole_dialogues_change_sides_and_are_drawn_when_distinct_is_counted_again():
    rng = np.random.default_rng(2)
    a, b = texts(rng), texts(rng)
    dialogue = np.sort(rng.integers(0, 5, len(a)))
    items = Items.of([""] * len(a), a, b)
    statistic = DistinctRatio([[items.references], [items.responses]], len(items.vocabulary), 2, dialogue)
    swaps, drawn = Swaps(5, 64, seed=3), Resamples(5, 64, seed=3)
    swapped = np.unpackbits(swaps._bits.view(np.uint8), axis=1).astype(bool)[dialogue]
    here, _ = statistic.resampled(0, 1, swaps)
    _, there = statistic.resampled(0, 1, drawn)
    for trial in range(64):
        mixed = [y if s else x for x, y, s in zip(a, b, swapped[:, trial], strict=True)]
        assert here[trial] == pytest.approx(brute_distinct(mixed, 2), abs=1e-12)
        times = drawn._counts[trial][dialogue]
        assert there[trial] == pytest.approx(brute_distinct(np.repeat(b, times).tolist(), 2), abs=1e-12)


@pytest.mark.parametrize("kind", [Swaps, Resamples])
def test_systems_without_an_n_gram_of_some_length_have_none_in_any_trial(kind):
    items = Items.of(["", "", ""], ["w1", "w2", "w1"], ["w2", "", "w3"])
    statistic = DistinctRatio([[items.references], [items.responses]], len(items.vocabulary), 2, np.arange(len(items)))
    for values in statistic.resampled(0, 1, kind(3, 100, 1)):
        assert values.tolist() == [0] * 100


def test_a_system_that_says_one_word_has_a_distinct_ratio_of_one_and_a_silent_one_of_nought():
    items = Items.of(["", ""], ["w1", ""], ["", ""])
    said, silent = [items.references], [items.responses]
    statistic = DistinctRatio([said, silent], len(items.vocabulary), 1, np.arange(len(items)))
    assert statistic.runs(0) == [1]
    assert statistic.runs(1) == [0]
    here, there = statistic.resampled(0, 1, Swaps(2, 64, seed=1))
    assert set(zip(here, there, strict=True)) == {(1, 0), (0, 1)}


@pytest.mark.parametrize("method", ["randomisation", "bootstrap"])
def test_draws_of_one_seed_are_equal_and_those_of_another_are_not(method):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 40, 1))

    def drawn(seed):
        return draws_of(40, Significance(method=method, trials=64, seed=seed)).sums(a, b)[0]

    assert np.array_equal(drawn(1), drawn(1))
    assert not np.array_equal(drawn(1), drawn(2))
    assert len(drawn(1)) == 64


def test_the_interval_of_a_difference_is_that_of_its_resampled_values():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 25))
    base, other = (outputs(name, texts(rng, 25), {"coherence": one}) for name, one in (("a", a), ("b", b)))
    found = difference_intervals(base, other, Significance(trials=300, seed=4), ["coherence", "distinct-1", "Average"])
    counts = Resamples(25, 300, 4)._counts
    expected = np.percentile([(times * (b - a)).sum() / 25 for times in counts.astype(float)], [2.5, 97.5])
    assert found.keys() == {"coherence"}  # nobody has an Average, and distinct-n has no bootstrap
    assert found["coherence"] == pytest.approx(tuple(expected))


def test_a_ratio_is_recomputed_from_swapped_sums():
    rng = np.random.default_rng(4)
    a, b = rng.uniform(1, 5, (30, 2)), rng.uniform(1, 5, (30, 2))
    draws = Swaps(30, 64, seed=1)
    here, _ = Sums([a[None], b[None]], lambda s: np.exp(s[..., 0] / s[..., 1]), np.arange(30)).resampled(0, 1, draws)
    swapped = np.unpackbits(draws._bits.view(np.uint8), axis=1).astype(bool)
    for trial in range(64):
        mixed = np.where(swapped[:, trial, None], b, a)
        assert here[trial] == pytest.approx(np.exp(mixed[:, 0].sum() / mixed[:, 1].sum()))


def test_the_lead_is_tested_against_the_runner_up_and_all_others():
    rng = np.random.default_rng(0)
    base = rng.normal(size=400)
    systems = [
        outputs("a", ["w1"] * 400, {"coherence": base}),
        outputs("b", ["w1"] * 400, {"coherence": base + 1}),
        outputs("c", ["w1"] * 400, {"coherence": rng.permutation(base + 1)}),
    ]
    rows = compare(systems, Significance(trials=200), ["coherence"])
    assert {row["best"] for row in rows} == {"b"} or {row["best"] for row in rows} == {"c"}
    runner_up = next(row for row in rows if row["runner_up"])
    assert runner_up["p"] > 0.05
    assert next(row for row in rows if row["other"] == "a")["p"] < 0.05
    [lead] = leads([{"corpus": "c", "split": "test", **row} for row in rows]).values()
    assert lead.p_adjusted == runner_up["p"]  # so the lead is not significant


def responses_file(path, system, seed, selection="none", examples=range(20), kl=None):
    n = len(examples)
    rng = np.random.default_rng(seed)
    table = pa.table(
        {
            "example_id": pa.array(examples, pa.int64()),
            "sample": pa.array([0] * n, pa.int16()),
            "selection": [selection] * n,
            "context": ["w1"] * n,
            "reference": ["w2"] * n,
            "response": ["w1 w2"] * n,
            "group": pa.nulls(n, pa.int16()),
            "label": pa.nulls(n, pa.int32()),
            "tokens": pa.array([3] * n, pa.int32()),
            "nll": pa.array(rng.uniform(1, 2, n), pa.float32()),
            "nll_end": pa.nulls(n, pa.float32()),
            "kl": pa.array([kl or 0.0] * n, pa.float32()),
            "bound": pa.nulls(n, pa.float32()) if kl is None else pa.array(rng.uniform(2, 3, n), pa.float32()),
            **{name: pa.nulls(n, pa.float32()) for name in UNTOLD},
            "coherence": rng.normal(size=n),
        }
    )
    for metric in ("ppl", "ppl-bound"):
        if (parts := metric_class(metric)().parts(Items.from_table(table))) is not None:
            table = table.append_column(parts_of(metric), pa.array(list(parts)))
    write_parquet(path, table, table.schema, {"corpus": "c", "split": "test", "system": system, "seed": str(seed)})
    return path


def test_a_seed_that_one_system_lacks_is_an_error(tmp_path):
    files = [responses_file(tmp_path / f"{s}{k}", s, k) for s, k in [("a", 1), ("a", 2), ("b", 1)]]
    with pytest.raises(PipelineError) as error:
        read_outputs(files, ["a", "b"], [])
    assert "b has seeds [1], a has [1, 2]" in error.value.problem
    assert error.value.remedy


def test_other_test_items_are_an_error(tmp_path):
    files = [responses_file(tmp_path / "a", "a", 1), responses_file(tmp_path / "b", "b", 1, examples=range(1, 21))]
    with pytest.raises(PipelineError, match="other examples"):
        read_outputs(files, ["a", "b"], [])


def test_files_of_two_splits_are_an_error_that_names_the_other_one(tmp_path):
    files = [responses_file(tmp_path / name, name, 1) for name in ("a", "b", "c")]
    table = pq.read_table(files[1])
    write_parquet(files[1], table, table.schema, {"corpus": "c", "split": "train", "system": "b", "seed": "1"})
    with pytest.raises(PipelineError, match="split is 'train'") as error:
        read_outputs(files, ["a", "b", "c"], [])
    assert error.value.where == str(files[1])
    assert {key: len(own) for key, own in by_split(files).items()} == {("c", "test"): 2, ("c", "train"): 1}
    write_parquet(files[2], table, table.schema, {"split": "train"})
    with pytest.raises(PipelineError, match="corpus is None"):
        by_split(files)


def test_oracle_outputs_and_baselines_do_not_compete(tmp_path):
    files = [
        responses_file(tmp_path / "a", "a", 1),
        responses_file(tmp_path / "b", "b", 1, selection="oracle"),
        responses_file(tmp_path / "h", "human", 1),
    ]
    assert [s.system for s in read_outputs(files, ["a", "b"], [])] == ["a"]
    assert [s.system for s in read_outputs(files, ["a", "b"], [], oracle=True)] == ["b"]


def test_a_system_whose_pretrained_weights_were_drawn_competes_in_no_column(tmp_path):
    files = [responses_file(tmp_path / name, name, 1, kl=1.0) for name in ("a", "b", "drawn")]
    table = pq.read_table(files[2])
    drawn = table.append_column("apart-random", pa.array(np.ones(len(table))))
    write_parquet(files[2], drawn, drawn.schema, {"corpus": "c", "split": "test", "system": "drawn", "seed": "1"})
    metrics = ["coherence", "ppl", "ppl-bound", "BLEU-1", "distinct-1", "corpus-BLEU"]
    systems = read_outputs(files, ["a", "b", "drawn"], ["coherence"])
    for metric in metrics:
        assert not competes(systems[2], metric), metric
    compared = {
        name for row in compare(systems, Significance(trials=10), metrics) for name in (row["best"], row["other"])
    }
    assert compared == {"a", "b"}
    assert compare_with(systems[2], systems[:2], Significance(trials=10), metrics) == []


def test_reconstruction_perplexity_is_compared_among_latent_systems_alone(tmp_path):
    files = [
        responses_file(tmp_path / "seq2seq", "seq2seq", 1),
        responses_file(tmp_path / "cvae", "cvae", 1, kl=1.0),
        responses_file(tmp_path / "sepa", "sepa", 1, kl=2.0),
    ]
    systems = read_outputs(files, ["seq2seq", "cvae", "sepa"], ["ppl", "ppl-bound"])
    rows = compare(systems, Significance(trials=50), ["ppl", "ppl-bound"])
    named = {
        m: {name for r in rows if r["metric"] == m for name in (r["best"], r["other"])} for m in ("ppl", "ppl-bound")
    }
    assert named == {"ppl": {"cvae", "sepa"}, "ppl-bound": {"seq2seq", "cvae", "sepa"}}


def test_a_system_without_z_has_no_kl_to_compare(tmp_path):
    files = [
        responses_file(tmp_path / "cvae", "cvae", 1, kl=1.0),
        responses_file(tmp_path / "other", "other", 1, kl=2.0),
        responses_file(tmp_path / "seq2seq", "seq2seq", 1),
    ]
    cvae, other, seq2seq = read_outputs(files, ["cvae", "other", "seq2seq"], ["kl"])
    rows = compare_with(cvae, [other, seq2seq], Significance(trials=10), ["kl"])
    assert [row.other for row in rows] == ["other"]


def test_a_likelihood_that_was_chosen_with_the_reference_competes_in_no_column_of_it(tmp_path):
    files = [
        responses_file(tmp_path / "cvae", "cvae", 1, kl=1.0),
        responses_file(tmp_path / "other", "other", 1, kl=1.0),
        responses_file(tmp_path / "sepa", "sepa", 1, kl=2.0, selection="context"),
    ]
    metrics = ["ppl", "nll", "ppl-bound", "nll-bound"]
    for system in read_outputs(files, ["cvae", "other", "sepa"], metrics):
        system.per_item.update({metric: np.zeros((1, 20)) for metric in ("nll", "nll-bound")})
        groups = system.system == "sepa"
        assert [competes(system, metric) for metric in metrics] == [not groups, not groups, True, True]


def test_a_column_without_a_better_direction_has_no_leader():
    systems = [outputs(name, ["w1"] * 9, {"length": np.full(9, n)}) for name, n in (("a", 1.0), ("b", 2.0))]
    assert compare(systems, Significance(trials=20), ["length"]) == []
    assert [row.metric for row in compare_with(systems[0], systems[1:], Significance(trials=20), ["length"])] == [
        "length"
    ]


def test_the_splits_of_a_table_are_tested_apart(tmp_path):
    """Each split with the systems and the items of that split, by the command line that the workflow calls."""
    files = [responses_file(tmp_path / f"{system}-test", system, 1) for system in "ab"]
    for system in "ab":
        own = responses_file(tmp_path / f"{system}-train", system, 1, examples=range(30))
        table = pq.read_table(own)
        about = {"corpus": "c", "split": "train", "system": system, "seed": "1"}
        write_parquet(own, table, table.schema, about)
        files.append(own)
    script = Path(__file__).parents[3] / "workflow/scripts/compare_systems.py"
    settings = Significance(trials=20).model_dump_json()
    metrics = ["--metrics", "coherence", "length"]
    command = [sys.executable, script, "--per-item", *files, "--competing", "a", "b", *metrics]
    subprocess.run([*command, "--settings", settings, "--out", tmp_path / "out.parquet"], check=True)
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [(row["split"], row["metric"], row["n"]) for row in rows] == [
        ("test", "coherence", 20),
        ("train", "coherence", 30),
    ]


def test_a_system_without_texts_competes_in_likelihoods_alone():
    items = Items.of([""] * 4, ["w1"] * 4, [""] * 4)
    likelihood = ReferenceLikelihood(np.full(4, 2.0), np.full(4, 3.0), np.zeros(4), None, None)
    silent = Outputs(
        "floor",
        np.arange(4),
        {1: replace(items, answered=False, likelihood=likelihood)},
        {"length": np.zeros((1, 4))},
        {name: np.ones((1, 4, 2)) for name in ("ppl-bound", "corpus-BLEU")},
    )
    assert competes(silent, "ppl-bound")
    assert not any(competes(silent, metric) for metric in ("distinct-1", "corpus-BLEU", "length"))


def test_an_n_gram_counts_once_for_each_text_that_has_it():
    items = Items.of([""] * 2, ["w1 w1 w2", "w3"], ["w2", "w2 w4"])
    occurrences = Occurrences.of(items.references, items.responses, 1, len(items.vocabulary), np.arange(2))
    assert len(occurrences.start) == 4
    assert len(occurrences.dialogue) == 6  # the repeated w1 counts once
