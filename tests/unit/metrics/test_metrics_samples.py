"""Metrics of several responses to a context: against NLTK, the formulas of its older versions, and brute force."""

import csv
import math
from collections import defaultdict
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.metrics.best import BestAverage, BestExtrema, BestGreedy
from pipeline_lib.metrics.distinct import InterDistinct1, InterDistinct2, IntraDistinct1, IntraDistinct2
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.named import metric_class
from pipeline_lib.metrics.sampled_bleu import (
    F1,
    CurrentF1,
    CurrentPrecision,
    CurrentRecall,
    Precision,
    Recall,
    three_order_bleu,
)
from unit.metrics.test_metrics_bleu import random_texts

ROOT = Path(__file__).parents[3]
N, SAMPLES = 120, 4


@pytest.fixture(scope="module")
def items() -> Items:
    """Four responses to each of 120 contexts, in an order that mixes examples."""
    rng = np.random.default_rng(3)
    references = random_texts(N, rng, shortest=1)
    example = rng.permutation(np.repeat(np.arange(N), SAMPLES))
    responses = random_texts(len(example), rng)
    plain = Items.of([""] * len(example), [references[i] for i in example], responses)
    return replace(plain, example=example)


def text(items: Items, side: str, row: int) -> list[str]:
    texts, words = getattr(items, side), items.vocabulary.to_pylist()
    return [words[i] for i in texts.ids[texts.offsets[row] : texts.offsets[row + 1]]]


def by_hand(reference: list[str], response: list[str], smoothing: str) -> float:
    """BLEU of three orders with method 7, of one version of NLTK, one line of the formulas at a time."""
    if len(response) <= 1:
        return 0.0
    p, matches = [], []
    for n in (1, 2, 3, 5):
        grams = [tuple(response[i : i + n]) for i in range(len(response) - n + 1)]
        there = [tuple(reference[i : i + n]) for i in range(len(reference) - n + 1)]
        found = sum(min(grams.count(gram), there.count(gram)) for gram in set(grams))
        matches.append(found)
        p.append((found, max(1, len(grams))))
    if not matches[0]:
        return 0.0
    values, empty = [a / b for a, b in p], 0
    for i in range(3):
        if p[i][0]:
            continue
        empty += 1
        log = math.log(len(response))
        values[i] = {
            "legacy": 1 / (i + 5 / log),
            "inverted": (i + 5 / log) / p[i][1],
            "current": log / (5 * 2**empty) / p[i][1],
        }[smoothing]
    previous, logs = values[0] + 1, []
    for i in range(3):
        previous = (previous + values[i] + values[i + 1]) / 3
        logs.append(math.log(previous))
    penalty = 1.0 if len(response) > len(reference) else math.exp(1 - len(reference) / len(response))
    return penalty * math.exp(sum(logs) / 3)


@pytest.mark.parametrize("smoothing", ["legacy", "inverted", "current"])
@pytest.mark.parametrize("end", ["counted", "dropped"])
def test_three_order_bleu_follows_the_formulas_of_each_version(items, smoothing, end):
    mark = ["</s>"] if end == "counted" else []
    expected = [
        by_hand(text(items, "references", row) + mark, text(items, "responses", row) + mark, smoothing)
        for row in range(len(items))
    ]
    np.testing.assert_allclose(three_order_bleu(items, smoothing, end), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("end", ["counted", "dropped"])
def test_current_three_order_bleu_is_what_nltk_computes(items, end):
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    mark = ["</s>"] if end == "counted" else []
    expected = np.zeros(len(items))
    for row in range(len(items)):
        reference, response = text(items, "references", row) + mark, text(items, "responses", row) + mark
        if len(response) > 1:
            method7 = SmoothingFunction().method7
            expected[row] = sentence_bleu([reference], response, [1 / 3] * 3, method7)
    np.testing.assert_allclose(three_order_bleu(items, "current", end), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("smoothing", ["legacy", "inverted"])
@pytest.mark.parametrize("end", ["counted", "dropped"])
def test_three_order_bleu_is_what_older_versions_of_nltk_computed(smoothing, end):
    """Values of 200 pairs by NLTK 3.4.5 (legacy) and 3.5 (inverted), recorded once; they need an older Python."""
    with open(ROOT / "tests/reference/nltk_method7.csv", newline="", encoding="utf-8") as file:
        pairs = list(csv.DictReader(file))
    items = Items.of([""] * len(pairs), [row["reference"] for row in pairs], [row["response"] for row in pairs])
    expected = [float(row[f"{smoothing} {end}"]) for row in pairs]
    assert len(set(expected)) > 100
    np.testing.assert_allclose(three_order_bleu(items, smoothing, end), expected, rtol=0, atol=1e-12)


def test_recall_is_the_best_precision_the_mean_and_f1_that_of_their_averages(items):
    values = defaultdict(list)
    for example, value in zip(items.example, three_order_bleu(items, "legacy", "counted"), strict=True):
        values[example].append(value)
    recall, precision = np.mean([max(v) for v in values.values()]), np.mean([np.mean(v) for v in values.values()])
    assert Recall()(items).mean == pytest.approx(recall)
    assert Precision()(items).mean == pytest.approx(precision)
    assert F1()(items).mean == pytest.approx(2 * recall * precision / (recall + precision))
    assert CurrentF1()(items).mean < F1()(items).mean


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (Recall, lambda values: values.max(1).mean()),
        (Precision, lambda values: values.mean()),
        (F1, lambda values: 2 / (1 / values.max(1).mean() + 1 / values.mean())),
    ],
)
def test_recall_precision_and_f1_are_recorded_in_all_six_variants(items, metric, expected):
    recorded = {one.name: one for one in [metric(), *metric().companions()]}
    assert len(recorded) == 6
    for smoothing, end in product(("legacy", "inverted", "current"), ("counted", "dropped")):
        is_published = (smoothing, end) == ("legacy", "counted")
        one = recorded[metric.name if is_published else f"{metric.name}|{smoothing}|{end}"]
        mark = ["</s>"] if end == "counted" else []
        values = [
            by_hand(text(items, "references", row) + mark, text(items, "responses", row) + mark, smoothing)
            for row in np.argsort(items.example, kind="stable")
        ]
        assert one(items).mean == pytest.approx(expected(np.reshape(values, (N, SAMPLES))))
        assert (
            one.signature
            == f"{metric.name}|orders:3|smooth:method7-{smoothing}|end:{end}|short:0|punctuation:counted|v:1"
        )


@pytest.mark.parametrize("metric", [CurrentRecall, CurrentPrecision, CurrentF1])
def test_the_present_form_of_a_column_is_the_variant_that_is_recorded_beside_it(items, metric):
    published = metric_class(metric.name.removesuffix("-current"))()
    [variant] = [one for one in published.companions() if one.name.endswith("|current|dropped")]
    assert metric_class(metric.name) is metric
    assert metric()(items).mean == variant(items).mean != published(items).mean
    assert metric().signature.startswith(f"{metric.name}|")
    assert not metric().companions()


def test_one_response_to_each_context_has_equal_recall_precision_and_f1():
    rng = np.random.default_rng(5)
    items = Items.of([""] * 50, random_texts(50, rng, shortest=1), random_texts(50, rng))
    assert Recall()(items).mean == pytest.approx(Precision()(items).mean)
    assert Recall()(items).mean == pytest.approx(F1()(items).mean)


def published() -> list[dict[str, str]]:
    with open(ROOT / "papers/persona_wae/published.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("dataset", "systems", "rounding"), [("Weibo", 7, 1e-4), ("DailyDialog", 1, 5e-4)])
def test_the_published_f1_follows_from_the_published_recall_and_precision(dataset, systems, rounding):
    rows: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for row in published():
        if row["dataset"] == dataset and row["column"].startswith("BLEU"):
            rows[row["table"], row["system"]][row["column"]] = float(row["value"])
    whole = [own for own in rows.values() if "BLEU recall" in own]
    assert len(whole) >= systems
    for own in whole:
        sums = np.array([own["BLEU recall"], own["BLEU precision"], 1])
        assert float(F1().value(sums)) == pytest.approx(own["BLEU F1"], abs=rounding)


@pytest.mark.parametrize("metric", [Recall, Precision, F1, CurrentRecall, CurrentPrecision, CurrentF1])
def test_every_table_with_such_a_column_says_that_random_replies_reach_the_published_f1(metric):
    [f1] = [
        row["value"]
        for row in published()
        if (row["table"], row["system"], row["column"]) == ("2", "PersonaWAE", "BLEU F1")
    ]
    assert f"published F1 of PersonaWAE, {f1.strip('0')}," in metric.caution


@pytest.mark.parametrize(
    ("intra", "inter", "order"), [(IntraDistinct1, InterDistinct1, 1), (IntraDistinct2, InterDistinct2, 2)]
)
def test_intra_and_inter_distinct_are_shares_counted_by_hand(items, intra, inter, order):
    def grams(row: int) -> list[tuple[str, ...]]:
        words = text(items, "responses", row)
        return [tuple(words[i : i + order]) for i in range(len(words) - order + 1)]

    def share(found: list[tuple[str, ...]]) -> float:
        return len(set(found)) / len(found) if found else 0.0

    within = [share(grams(row)) for row in range(len(items))]
    of_context = [
        share([gram for row in np.flatnonzero(items.example == example) for gram in grams(row)]) for example in range(N)
    ]
    assert intra()(items).mean == pytest.approx(np.mean(within))
    assert inter()(items).mean == pytest.approx(np.mean(of_context))
    assert inter.competes(items)
    assert not inter.competes(replace(items, example=None))


@pytest.mark.parametrize("best", [BestAverage, BestExtrema, BestGreedy])
def test_the_best_of_several_is_the_greatest_value_of_each_example(items, best, word_vectors):
    metric = best(word_vectors)
    plain = metric._of_response(items).per_item
    expected = np.mean([plain[items.example == example].max() for example in range(N)])
    assert metric(items).mean == pytest.approx(expected)
    assert metric.signature.startswith(f"{metric.name}|vectors:")


@pytest.fixture(scope="module")
def word_vectors():
    import pyarrow as pa

    from pipeline_lib.vectors.space import VectorSpace

    matrix = np.random.default_rng(1).normal(size=(9, 5)).astype(np.float32)
    return VectorSpace(pa.array([f"w{i}" for i in range(9)]), matrix, "test")
