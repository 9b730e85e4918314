"""Adversarial evaluation: classifiers against the exact grammar, controls, and the counts that they rest on."""

import math
import random
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from pipeline_lib.analyses import adversarial
from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.discriminators import Labelled, Parts, lstm, unigram
from pipeline_lib.analyses.imputation import cut, paired
from pipeline_lib.config.grammar import Grammar
from pipeline_lib.config.training import Training
from pipeline_lib.corpora.grammar import draw
from pipeline_lib.corpora.grammar_endings import Endings
from pipeline_lib.corpora.grammar_rules import grammar_of
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.imputations import IMPUTATIONS
from unit.model_fixtures import SmallUnits
from unit.vocabularies import write_words

SETTINGS = Grammar(topics=2, words_per_slot=3)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """All values of the best imputer that there is, by row and column, with standard errors."""
    folder, grammar, rng = tmp_path_factory.mktemp("adversarial"), grammar_of(SETTINGS), random.Random(3)
    pairs = paired([" ".join(draw(grammar, rng)[0]) for _ in range(1500)], seed=2)
    endings, rows = Endings(grammar), []
    for number, (beside, hidden) in enumerate(pairs):
        prefix, ending = cut(hidden, 5)
        shares = endings.given(prefix.split(" ") if prefix else [], len(hidden.split(" ")))
        rows.append((number, beside, prefix, ending, " ".join(max(shares, key=shares.get))))
    table = pa.Table.from_pylist([dict(zip(IMPUTATIONS.names[:5], row, strict=True)) for row in rows], IMPUTATIONS)
    write_parquet(folder / "imputation.parquet", table, IMPUTATIONS)
    write_words(folder / "words.parquet", sorted({word for pair in pairs for text in pair for word in text.split(" ")}))
    data = Data(folder / "words.parquet", {}, {}, {}, folder / "imputation.parquet", Training(), 1, SETTINGS)
    found = adversarial.analyse(None, data, adversarial.Options(), 1).to_pylist()
    return {(row["row"], row["column"]): row for row in found}


def test_no_learnt_classifier_exceeds_the_error_of_one_that_knows_the_grammar(measured):
    oracle = measured["{system}", adversarial.ORACLE]
    assert oracle["value"] == pytest.approx(measured["best imputer", adversarial.ORACLE]["value"])
    for column in (adversarial.UNIGRAM, adversarial.LSTM):
        row = measured["{system}", column]
        assert row["value"] <= oracle["value"] + 3 * math.hypot(row["error"], oracle["error"])
        assert row["value"] > 10  # and it learns


def test_true_endings_cannot_be_told_and_random_ones_only_by_their_order(measured):
    for place in (("true", adversarial.UNIGRAM), ("true", adversarial.LSTM), ("random ending", adversarial.UNIGRAM)):
        assert measured[place]["value"] <= 3 * measured[place]["error"]
    row = measured["random ending", adversarial.LSTM]
    assert row["value"] > 5 * row["error"]


def test_a_tenth_of_the_pairs_is_tested(measured):
    pairs = measured["{system}", adversarial.ORACLE]["n"]
    assert measured["true", adversarial.LSTM]["n"] == 2 * (pairs // 10)


def test_the_oracle_is_the_total_variation_distance_of_both_sorts():
    shares = [0.2, 1.0, 0.6]
    two_sorts = [
        sum(abs(truth - imputed) for truth, imputed in ((share, 1.0), (1 - share, 0.0))) / 2 for share in shares
    ]
    value, error = adversarial.oracle(shares)
    assert value == pytest.approx(100 * np.mean(two_sorts) / 2)
    assert error == pytest.approx(100 * np.std(two_sorts, ddof=1) / 2 / math.sqrt(3))


@pytest.mark.parametrize(("right", "value"), [(50, 0), (75, 25), (25, 25), (100, 50)])
def test_the_error_is_the_distance_of_the_accuracy_from_one_half(right, value):
    labels = np.zeros(100, np.int64)
    found = np.array([0] * right + [1] * (100 - right))
    share = right / 100
    assert adversarial.error_of(found, labels) == pytest.approx((value, 100 * math.sqrt(share * (1 - share) / 100)))


def test_exchanged_endings_are_those_of_other_sentences_of_the_same_length():
    lengths = [3, 3, 3, 5, 5, 7]
    endings = [f"e{number}" for number in range(6)]
    found = adversarial.exchanged(endings, lengths, seed=1)
    assert Counter(found) == Counter(endings)
    assert [lengths[endings.index(ending)] for ending in found] == lengths
    assert [a != b for a, b in zip(found, endings, strict=True)] == [True] * 5 + [False]


def test_both_sentences_of_a_pair_are_in_one_part():
    parts = adversarial.parts_of([f"t{i}" for i in range(57)], [f"i{i}" for i in range(57)])
    assert [len(part.texts) for part in parts] == [2 * 47, 2 * 5, 2 * 5]
    for part in parts:
        sorts = [{text[1:] for text, label in zip(*part, strict=True) if label == sort} for sort in (0, 1)]
        assert sorts[0] == sorts[1]
        assert {(text[0], label) for text, label in zip(*part, strict=True)} == {("t", 0), ("i", 1)}


def parts_by(rule, count=600):
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{word}" for word in rng.integers(4, 9, rng.integers(3, 7))) for _ in range(count)]
    labels = np.array([rule([int(word[1:]) for word in text.split(" ")]) for text in texts], np.int64)
    cuts = [slice(0, count * 8 // 10), slice(count * 8 // 10, count * 9 // 10), slice(count * 9 // 10, count)]
    return Parts(*(Labelled(texts[each], labels[each]) for each in cuts))


def test_each_classifier_learns_what_it_can_see():
    units = SmallUnits(None, 9)
    by_word, by_order = parts_by(lambda words: 7 in words), parts_by(lambda words: words[-1] > words[-2])
    for classifier, parts, least in ((unigram, by_word, 0.95), (lstm, by_word, 0.95), (lstm, by_order, 0.85)):
        assert (classifier(parts, units, 1) == parts.test.labels).mean() >= least
    assert (unigram(by_order, units, 1) == by_order.test.labels).mean() < 0.7


@pytest.mark.parametrize("classifier", [unigram, lstm])
def test_a_classifier_learns_the_same_again(classifier):
    parts, units = parts_by(lambda words: 7 in words, count=100), SmallUnits(None, 9)
    assert np.array_equal(classifier(parts, units, 1), classifier(parts, units, 1))


def test_an_imputation_of_too_few_sentences_is_an_error(tmp_path):
    write_words(tmp_path / "words.parquet", [])
    write_parquet(tmp_path / "few.parquet", IMPUTATIONS.empty_table(), IMPUTATIONS)
    few = Data(tmp_path / "words.parquet", {}, {}, {}, tmp_path / "few.parquet", Training(), 1)
    with pytest.raises(PipelineError, match="0 pairs of sentences"):
        adversarial.analyse(None, few, adversarial.Options(), 1)
