"""Comparisons over runs and items: the jackknife by brute force, Welch's test, systems against themselves."""

import numpy as np
import pytest
from scipy import stats

from pipeline_lib.config.significance import Significance
from pipeline_lib.metrics.items import Items, ReferenceLikelihood
from pipeline_lib.metrics.named import metric_class
from pipeline_lib.significance.comparisons import compare, compare_with
from pipeline_lib.significance.families import leads
from pipeline_lib.significance.outputs import Outputs
from pipeline_lib.significance.statistics import statistic_of

N = 14


def texts(rng, n=N):
    return [" ".join(f"w{i}" for i in rng.integers(0, 9, rng.integers(4, 9))) for _ in range(n)]


def answers(rng, references, nll):
    likelihood = ReferenceLikelihood(np.full(N, 4.0), nll, np.ones(N), nll + 1, None)
    plain = Items.of([""] * N, references, texts(rng))
    return Items(plain.vocabulary, plain.contexts, plain.references, plain.responses, plain.reference_item, likelihood)


def system(name, values):
    """Make a system of which only the values of one metric are known: (S, n)."""
    values = np.atleast_2d(values)
    items = Items.of([""], ["w"], ["w"])
    seeds = dict.fromkeys(range(len(values)), items)
    return Outputs(name, np.arange(values.shape[1]), seeds, {"coherence": values})


def scored(name, runs, metric, dialogue=None):
    """Make a system of whole answers, with what they add to the sums of a metric."""
    ratio = metric_class(metric)()
    parts = {metric: np.stack([ratio.parts(items) for items in runs.values()])} if hasattr(ratio, "parts") else {}
    return Outputs(name, np.arange(N), runs, {}, parts, dialogue)


def without(items, left_out):
    """Make the same items but some."""
    kept = [k for k in range(N) if k not in left_out]

    def words(column):
        ids = [column.ids[column.offsets[k] : column.offsets[k + 1]] for k in kept]
        return [" ".join(items.vocabulary[int(token)].as_py() for token in one) for one in ids]

    likelihood = items.likelihood
    fewer = ReferenceLikelihood(*(getattr(likelihood, name)[kept] for name in ("tokens", "nll", "kl", "bound")), None)
    plain = Items.of([""] * len(kept), words(items.references), words(items.responses))
    return Items(plain.vocabulary, plain.contexts, plain.references, plain.responses, plain.reference_item, fewer)


@pytest.mark.parametrize("dialogue", [None, np.array([0, 0, 1, 2, 0, 3, 3, 3, 4, 2, 5, 5, 1, 0])])
@pytest.mark.parametrize("metric", ["ppl", "ppl-bound", "corpus-BLEU", "distinct-1", "distinct-2"])
def test_a_value_without_a_dialogue_is_that_of_the_others_scored_anew(metric, dialogue):
    rng = np.random.default_rng(4)
    references = texts(rng)
    runs = {seed: answers(rng, references, rng.uniform(1, 3, N)) for seed in (1, 2)}
    statistic = statistic_of(metric, [scored("a", runs, metric, dialogue)])
    score = metric_class(metric)()
    np.testing.assert_allclose(statistic.runs(0), [score(items).mean for items in runs.values()])
    of = np.arange(N) if dialogue is None else dialogue
    expected = [
        np.mean([score(without(items, np.flatnonzero(of == i))).mean for items in runs.values()])
        for i in range(of.max() + 1)
    ]
    np.testing.assert_allclose(statistic.without_each(0), expected)


def test_the_error_of_a_mean_over_items_is_the_textbook_one_of_paired_differences():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 3, N))
    [found] = compare_with(system("b", second), [system("a", first)], Significance(), ["coherence"])
    assert found.comparison.se_items == pytest.approx(stats.sem(first.mean(0) - second.mean(0)))
    assert found.comparison.difference == pytest.approx(first.mean() - second.mean())


def repeated(outputs, times):
    """Make the same system with every example said several times in its dialogue."""
    values = {name: own.repeat(times, 1) for name, own in outputs.per_item.items()}
    n = len(outputs.examples)
    return Outputs(outputs.system, np.arange(n * times), outputs.seeds, values, dialogue=np.arange(n).repeat(times))


@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("method", ["randomisation", "bootstrap"])
def test_what_a_dialogue_says_again_is_no_further_evidence(runs, method):
    rng = np.random.default_rng(5)
    systems = [system("a", rng.normal(0.4, 1, (runs, N))), system("b", rng.normal(0, 1, (runs, N)))]
    settings = Significance(method=method, trials=200)
    [once] = compare(systems, settings, ["coherence"])
    [again] = compare([repeated(one, 4) for one in systems], settings, ["coherence"])
    assert again.pop("n") == 4 * once.pop("n")
    assert {name: pytest.approx(value) if isinstance(value, float) else value for name, value in again.items()} == once


def test_examples_of_one_dialogue_alone_show_no_difference_of_systems():
    values = np.random.default_rng(6).normal(size=(2, 3, N))
    systems = [
        Outputs(one.system, one.examples, one.seeds, one.per_item, dialogue=np.zeros(N, int))
        for one in (system("a", 1 + values[0]), system("b", values[1]))
    ]
    [row] = compare(systems, Significance(), ["coherence"])
    assert row["p"] == 1


def test_systems_whose_items_are_all_alike_are_compared_by_welchs_test():
    rng = np.random.default_rng(1)
    first, second = rng.normal(1, 1, (3, 1)), rng.normal(0, 2, (3, 1))
    [row] = compare([system("a", first.repeat(N, 1)), system("b", second.repeat(N, 1))], Significance(), ["coherence"])
    expected = stats.ttest_ind(first[:, 0], second[:, 0], equal_var=False)
    assert (row["best"], row["between"], row["runs"]) == ("a", "systems", 3)
    assert row["p"] == pytest.approx(expected.pvalue)
    assert row["freedom"] == pytest.approx(expected.df)
    assert row["se_runs"] == pytest.approx(abs(row["difference"] / expected.statistic))
    assert row["se_items"] == pytest.approx(0, abs=1e-9)


def test_one_run_of_each_system_speaks_of_these_models_alone():
    rng = np.random.default_rng(2)
    base = rng.normal(size=N)
    [row] = compare([system("a", base), system("b", base - 1)], Significance(trials=200), ["coherence"])
    assert (row["between"], row["se_runs"], row["freedom"]) == ("models", None, None)
    assert row["p"] == pytest.approx(1 / 201)
    assert row["method"] == "paired test over dialogues, randomisation, 200 trials"
    other = rng.normal(-9, size=N)
    [row] = compare([system("a", base), system("b", other)], Significance(trials=20), ["coherence"])
    assert row["se_items"] == pytest.approx(stats.sem(base - other))


def test_responses_from_files_have_no_spread_of_trainings_and_never_speak_of_systems():
    rng = np.random.default_rng(3)
    base = rng.normal(size=(1, N))
    given = [system("a", base.repeat(3, 0)), system("b", base.repeat(3, 0) - 1)]
    assert compare(given, Significance(trials=200), ["coherence"])[0]["between"] == "models"
    trained = system("c", base - 1 + rng.normal(0, 0.01, (3, 1)))
    [row] = compare([given[0], trained], Significance(), ["coherence"])
    assert (row["between"], row["freedom"]) == ("systems", pytest.approx(2))  # the trained one's runs count


def test_the_leader_of_a_column_where_less_is_better_has_the_least_value():
    rng = np.random.default_rng(7)
    references = texts(rng)
    systems = [
        scored(name, {1: answers(rng, references, rng.uniform(1, 2, N) + more)}, "ppl-bound")
        for name, more in (("middle", 1), ("least", 0), ("most", 2))
    ]
    rows = compare(systems, Significance(trials=20), ["ppl-bound"])
    assert [(row["best"], row["other"], row["runner_up"]) for row in rows] == [
        ("least", "middle", True),
        ("least", "most", False),
    ]


def test_a_single_item_tells_nothing():
    [row] = compare([system("a", [[1.0], [1.1]]), system("b", [[0.0], [0.1]])], Significance(), ["coherence"])
    assert row["p"] == pytest.approx(1)


def trainings(rng, systems, runs, items=60):
    """Draw equal systems: an item is as hard for all, and runs scatter four times as much as the items make them."""
    hard = rng.normal(size=items)
    return [
        system(
            f"s{k}",
            hard
            + rng.normal(size=items)
            + rng.normal(size=(runs, items)) * 0.5
            + rng.normal(0, 4 / items**0.5, (runs, 1)),
        )
        for k in range(systems)
    ]


@pytest.mark.parametrize("runs", [2, 3])
def test_a_system_against_itself_with_other_seeds_is_rarely_significant_and_its_models_often_are(runs):
    rng, tables = np.random.default_rng(5), 200
    found = {"systems": 0, "models": 0}
    for _ in range(tables):
        both = trainings(rng, 2, runs)
        singles = [system(one.system, one.per_item["coherence"][:1]) for one in both]
        for own in (both, singles):
            [row] = compare(own, Significance(trials=100), ["coherence"])
            found[row["between"]] += row["p"] < 0.05
    assert found["systems"] <= 0.06 * tables
    assert found["models"] > 0.4 * tables


@pytest.mark.parametrize("runs", [2, 3, 5])
def test_the_best_of_eight_equal_systems_is_called_so_in_at_most_five_of_a_hundred_tables(runs):
    rng, tables, columns = np.random.default_rng(6), 100, 3
    called = 0
    for _ in range(tables):
        rows = [
            {"corpus": "c", "split": str(column), **row}
            for column in range(columns)
            for row in compare(trainings(rng, 8, runs), Significance(), ["coherence"])
        ]
        called += any(lead.p_adjusted < 0.05 for lead in leads(rows).values())
    assert called <= 0.05 * tables
