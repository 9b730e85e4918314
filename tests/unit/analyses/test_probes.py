"""Probes of codes: features, folds and choices against plain computations, and the published controls on real data."""

import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import KFold

from pipeline_lib.analyses import pair_probe, sentence_probe
from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.pair_features import pair_features
from pipeline_lib.analyses.probing import accuracy, accuracy_error, f1, fitted, majority, predicted
from pipeline_lib.config.corpora import Source
from pipeline_lib.config.grammar import Grammar
from pipeline_lib.config.networks import LanguageModel
from pipeline_lib.config.training import Training
from pipeline_lib.corpora import grammar, msrp, trec
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.models.system import create
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.text.tokenisers.english import tokenise_array
from pipeline_lib.text.units import read_units
from unit.model_fixtures import make_model
from unit.vocabularies import write_words

RELEASES = Path(__file__).parents[4] / "shared/data"
SOURCE = Source(reader="msrp", label="x", licence="none", bundles=[[]])
SETTINGS = Grammar(train=80, validation=10, test=60, topics=2, words_per_slot=2)
needs_data = pytest.mark.skipif(not RELEASES.exists(), reason="needs the real MSRP and TREC files")


# --- features ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("a b c", "a b d e", [1, 0, 1, 2 / 3, 2 / 4, (3 / 4 + 4 / 3) / 2]),
        ("rose 3.5 %", "rose 3.5 %", [1, 1, 1, 1, 1, 1]),
        ("rose 3 to 5", "rose 3", [0, 0, 1, 2 / 4, 1, (2 + 1 / 2) / 2]),
        ("in 1998", "in 1999", [0, 0, 0, 1 / 2, 1 / 2, 1]),
        ("the the cat", "cat", [1, 0, 1, 1 / 2, 1, (3 + 1 / 3) / 2]),
        ("½ cup", "cup", [0, 0, 1, 1 / 2, 1, (2 + 1 / 2) / 2]),
    ],
)
def test_features_of_a_pair_are_those_counted_by_hand(first, second, expected):
    assert pair_features([first], [second])[0].tolist() == pytest.approx(expected)


def test_both_codes_are_joined_by_distance_and_product():
    a, b = np.array([[1.0, -2.0]]), np.array([[3.0, 0.5]])
    assert pair_probe.both_codes(a, b).tolist() == [[2, 2.5, 3, -1]]
    assert np.array_equal(pair_probe.both_codes(a, b), pair_probe.both_codes(b, a))


# --- the classifier ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("quality", "of_sklearn", "classes"), [(f1, f1_score, 2), (accuracy, accuracy_score, 4)])
def test_the_strength_is_chosen_by_ten_shuffled_folds(quality, of_sklearn, classes):
    rng = np.random.default_rng(1)
    features, weights = rng.normal(size=(90, 6)), rng.normal(size=(6, classes))
    labels = (features @ weights + rng.gumbel(size=(90, classes)) * 2).argmax(1)
    best, chosen = -1.0, 0.0
    for power in range(9):
        folds = KFold(10, shuffle=True, random_state=1234).split(features[:60])
        scores = []
        for kept, held in folds:
            model = LogisticRegression(C=2.0**power, max_iter=1000).fit(features[kept], labels[kept])
            scores.append(of_sklearn(labels[held], model.predict(features[held])))
        if np.mean(scores) > best:
            best, chosen = np.mean(scores), 2.0**power
    expected = LogisticRegression(C=chosen, max_iter=1000).fit(features[:60], labels[:60]).predict(features[60:])
    assert np.array_equal(predicted(features[:60], labels[:60], features[60:], quality), expected)


def test_measures_are_those_of_scikit_learn():
    rng = np.random.default_rng(2)
    labels, found = rng.integers(0, 2, (2, 200))
    assert accuracy(labels, found) == pytest.approx(100 * accuracy_score(labels, found))
    assert f1(labels, found) == pytest.approx(100 * f1_score(labels, found))
    assert f1(np.zeros(3, np.int64), np.zeros(3, np.int64)) == 0
    share = (labels == found).mean()
    assert accuracy_error(labels, found) == pytest.approx(100 * np.sqrt(share * (1 - share) / 200))
    assert majority(np.array([2, 1, 2, 3])).tolist() == [2, 2, 2, 2]
    assert majority(np.array([0, 1])).tolist() == [1, 1]


# --- analyses ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """Files of sentences of a small grammar."""
    folder = tmp_path_factory.mktemp("probes")
    rows = [row for batch in grammar.generate(SETTINGS) for row in batch.to_pylist()]
    write_words(folder / "words.parquet", sorted({word for row in rows for word in row["text"].split(" ")}))
    for split in ("train", "test"):
        write_examples(folder / f"{split}.parquet", [("", r["text"], r["label"]) for r in rows if r["split"] == split])
    return folder


def write_examples(path, examples):
    rows = [(number, "d", 0, *texts, None, label) for number, (*texts, label) in enumerate(examples)]
    table = pa.Table.from_pylist([dict(zip(EXAMPLES.names, row, strict=True)) for row in rows], EXAMPLES)
    write_parquet(path, table, EXAMPLES)


def data_of(folder, settings=SETTINGS):
    examples = {split: folder / f"{split}.parquet" for split in ("train", "test")}
    return Data(folder / "words.parquet", {}, examples, {}, None, Training(), 1, settings)


def model_for(folder):
    torch.manual_seed(1)
    network = LanguageModel(embedding=16, hidden=24, latent=12, initial_range=0.5)
    return create("pipeline_lib.models.sentence_vae:SentenceVAE", {}, read_units(folder / "words.parquet"), network)


def test_a_sentence_probe_reads_moods_and_topics(generated):
    table = sentence_probe.analyse(model_for(generated), data_of(generated), sentence_probe.Options(), 1)
    rows = {(row["row"], row["column"]): row for row in table.to_pylist()}
    assert {row for row, _ in rows} == {"{system}", "bag of words", "majority"}
    assert all(row["n"] == SETTINGS.test for row in rows.values())
    for column in ("accuracy", "topic accuracy"):
        assert rows["bag of words", column]["value"] > rows["majority", column]["value"] + 20
    assert rows["bag of words", "topic accuracy"]["value"] > 80


def test_a_pair_probe_of_a_grammar_is_the_same_for_every_seed(generated):
    options = pair_probe.Options(train_pairs=40, test_pairs=40)
    first, second = (pair_probe.analyse(model_for(generated), data_of(generated), options, seed) for seed in (1, 2))
    assert first == second
    rows = {(row["row"], row["column"]): row for row in first.to_pylist()}
    names = ["{system}", "{system}+feats", "Feats", "majority"]
    assert list(rows) == [(name, column) for name in names for column in ("accuracy", "F1")]
    assert (rows["majority", "accuracy"]["value"], rows["majority", "accuracy"]["n"]) == (50, 40)


def test_a_pair_probe_reads_labelled_pairs_of_a_corpus(generated, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "words.parquet").write_bytes((generated / "words.parquet").read_bytes())
    for split, count in (("train", 60), ("test", 30)):
        labels = rng.integers(0, 2, count)
        write_examples(tmp_path / f"{split}.parquet", [("a b", "a b" if own else "c d", int(own)) for own in labels])
    table = pair_probe.analyse(model_for(tmp_path), data_of(tmp_path, None), pair_probe.Options(), 1)
    rows = {(row["row"], row["column"]): row["value"] for row in table.to_pylist()}
    assert rows["Feats", "accuracy"] == rows["Feats", "F1"] == 100


@pytest.mark.parametrize("probe", [sentence_probe, pair_probe])
def test_examples_without_labels_are_an_error_that_says_what_to_read(generated, tmp_path, probe):
    (tmp_path / "words.parquet").write_bytes((generated / "words.parquet").read_bytes())
    for split in ("train", "test"):
        write_examples(tmp_path / f"{split}.parquet", [("a", "b", None), ("c", "d", None)])
    with pytest.raises(PipelineError) as caught:
        probe.analyse(model_for(tmp_path), data_of(tmp_path, None), probe.Options(), 1)
    assert "label" in caught.value.problem
    assert "`corpus:`" in caught.value.remedy


def test_a_system_without_a_code_is_an_error(generated):
    with pytest.raises(PipelineError, match="Seq2Seq has no latent space"):
        pair_probe.analyse(make_model("seq2seq"), data_of(generated), pair_probe.Options(), 1)


# --- published controls -----------------------------------------------------------------------------------------------


def tokens(batch, turn):
    rows = batch.to_pylist()
    return tokenise_array(pa.array([row["text"] for row in rows if row["turn"] == turn])).to_pylist(), np.array(
        [row["label"] for row in rows if row["turn"] == turn]
    )


@needs_data
def test_six_features_alone_give_the_published_accuracy_on_msrp():
    train, test = msrp.read(sorted((RELEASES / "msrp").glob("*.gz")), SOURCE, Counter())
    features = [pair_features(tokens(batch, 0)[0], tokens(batch, 1)[0]) for batch in (train, test)]
    labels, true = (tokens(batch, 0)[1] for batch in (train, test))
    found = predicted(features[0], labels, features[1], f1)
    assert accuracy(true, found) == pytest.approx(73.7, abs=0.5)
    assert f1(true, found) == pytest.approx(81.9, abs=0.5)
    assert accuracy(true, majority(true)) == pytest.approx(66.5, abs=0.05)
    assert f1(true, majority(true)) == pytest.approx(79.9, abs=0.05)


@needs_data
def test_the_words_of_a_question_give_the_known_accuracy_on_trec():
    train, test = trec.read(sorted((RELEASES / "trec").glob("*.gz")), SOURCE, Counter())
    (texts, labels), (held_out, true) = (tokens(batch, 0) for batch in (train, test))
    words = sentence_probe.presences(texts, held_out)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fitted(words[0], labels, 1.0).predict(words[1])
    assert accuracy(true, found) == pytest.approx(84.8, abs=0.5)
    assert accuracy(true, majority(true)) == pytest.approx(27.6, abs=0.05)
