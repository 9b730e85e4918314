"""Paths, samples and reconstructions of small models, against what the models give sentence by sentence."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline_lib.analyses import paths, prior_samples, reconstructions
from pipeline_lib.analyses.data import Data, Judge
from pipeline_lib.analyses.latent_space import LatentSpace
from pipeline_lib.config.grammar import Grammar
from pipeline_lib.config.networks import LanguageModel
from pipeline_lib.config.training import Training
from pipeline_lib.corpora.grammar import generate
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.models.system import System, create
from pipeline_lib.text.words import Words
from unit.vocabularies import write_words

SEED = 4
GRAMMAR = Grammar(train=60, validation=1, test=1, topics=2, words_per_slot=2)
NETWORK = LanguageModel(embedding=6, hidden=9, latent=5, initial_range=2.0)  # wide: texts differ
LONGEST = 7


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    drawn = (batch["text"].to_pylist() for batch in generate(GRAMMAR) if batch["split"][0].as_py() == "train")
    return [text for texts in drawn for text in texts]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, sentences: list[str]) -> Path:
    found = tmp_path_factory.mktemp("decoded")
    write_words(found / "words.parquet", sorted({word for text in sentences for word in text.split()}))
    texts = pa.table({"response": sentences})
    write_parquet(found / "test.parquet", texts, texts.schema)
    return found


def model_of(name: str, folder: Path, **options: Any) -> System:
    torch.manual_seed(3)
    units = Words.read(folder / "words.parquet")
    model = create(f"pipeline_lib.models.sentence_vae:{name}", options, units, NETWORK).double()
    with torch.no_grad():
        model.decoder.output.bias[units.ids.end] += 5  # so that some texts end
    return model


def data_of(folder: Path, judge: Judge | None = None, grammar: Grammar | None = None) -> Data:
    files = {"test": folder / "test.parquet"}
    return Data(folder / "words.parquet", {}, files, {}, None, Training(), 1, grammar, judge)


def rows_of(kind: Any, model: System, data: Data, **options: Any) -> list[dict[str, Any]]:
    table = kind.analyse(model, data, kind.Options(longest=LONGEST, **options), SEED)
    return table.to_pylist()


def texts_of(rows: Sequence[dict[str, Any]], kind: str) -> list[str]:
    return [row["text"] for row in rows if row["kind"] == kind]


@pytest.mark.parametrize("name", ["SentenceVAE", "SequenceAutoencoder"])
def test_the_ends_of_a_path_are_the_reconstructions_of_the_sentences_it_lies_between(folder, name, sentences):
    model, data = model_of(name, folder), data_of(folder)
    path = [row for row in rows_of(paths, model, data, between="sentences", paths=30) if row["input"] is not None]
    assert len(path) == 60
    assert sorted(row["input"] for row in path) == sorted(sentences)  # each of the 60 is drawn once
    whole = rows_of(reconstructions, model, data, sentences=60)
    mean_of = {row["input"]: row["text"] for row in whole if row["kind"] == "mean"}
    assert [row["text"] for row in path] == [mean_of[row["input"]] for row in path]
    assert len(set(mean_of.values())) > 5


def test_points_lie_at_equal_distances_on_a_straight_line():
    first, last = np.random.default_rng(0).normal(size=(2, 3, 4))
    found = paths.line(first, last, np.linspace(0, 1, 9))
    assert (found[:, 0] == first).all()
    assert (found[:, -1] == last).all()
    steps = np.diff(found, axis=1)
    np.testing.assert_allclose(steps, np.broadcast_to(((last - first) / 8)[:, None], steps.shape))


@pytest.mark.parametrize("direction", ["left_to_right", "right_to_left"])
def test_the_log_probability_of_a_text_is_that_of_the_teacher_forced_decoder_in_reading_order(folder, direction):
    model = model_of("SentenceVAE", folder, direction=direction)
    units = Words.read(folder / "words.parquet")
    z = np.random.default_rng(1).standard_normal((40, NETWORK.latent))
    ended = [
        (point, found)
        for point, found in zip(z, LatentSpace(model, units, 30).decode(z), strict=True)
        if 0 < len(found.text.split()) < 30
    ]
    assert len({found.text for _, found in ended}) > 5
    for point, found in ended:
        batch = ExampleDataset.of_sentences([found.text], units).batch(np.array([0]))
        with torch.no_grad():
            nll = model.nll(batch.response, torch.from_numpy(point[None]), torch.Generator())
        assert found.log_p == pytest.approx(-float(nll), rel=1e-9)


def test_a_text_without_an_end_is_scored_without_one(folder):
    model, units = model_of("SentenceVAE", folder), Words.read(folder / "words.parquet")
    z = np.random.default_rng(1).standard_normal((30, NETWORK.latent))
    one, two = (LatentSpace(model, units, longest).decode(z) for longest in (1, 2))
    both = [(a, b) for a, b in zip(one, two, strict=True) if len(a.text.split()) == 1 and len(b.text.split()) == 2]
    assert both
    assert all(b.text.startswith(a.text) and b.log_p < a.log_p < 0 for a, b in both)


def test_draws_without_noise_are_the_mean(folder):
    model, data = model_of("SentenceVAE", folder), data_of(folder)
    with torch.no_grad():
        model.recognition.weight[NETWORK.latent :] = 0
        model.recognition.bias[NETWORK.latent :] = -200  # log-variances
    rows = rows_of(reconstructions, model, data, sentences=20, draws=2)
    means = texts_of(rows, "mean")
    assert texts_of(rows, "draw") == [text for text in means for _ in range(2)]
    assert len(set(means)) > 3


def test_draws_of_a_wide_posterior_differ(folder):
    model, data = model_of("SentenceVAE", folder), data_of(folder)
    with torch.no_grad():
        model.recognition.bias[NETWORK.latent :] = 3
    rows = rows_of(reconstructions, model, data, sentences=20, draws=2)
    assert texts_of(rows, "draw")[0::2] != texts_of(rows, "draw")[1::2]


def test_each_reconstruction_is_compared_with_its_own_input(folder, sentences):
    rows = rows_of(reconstructions, model_of("SentenceVAE", folder), data_of(folder), sentences=20, draws=1)
    inputs = texts_of(rows, "input")
    assert set(inputs) <= set(sentences)
    for row in rows:
        if row["kind"] == "input":
            assert (row["bleu"], row["same_length"], row["log_p"]) == (None, None, None)
            continue
        assert row["input"] == inputs[row["item"] - 1]
        assert row["same_length"] == (len(row["text"].split()) == len(row["input"].split()))
        words = row["input"].split()
        assert 0 <= row["bleu"] <= 1.2
        if not set(words) & set(row["text"].split()):
            assert row["bleu"] == 0


def test_bleu_is_that_of_nltk():
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    inputs = ["do you like the red soup ?", "a b c d e"]
    texts = ["do you like the blue soup today ?", "a b x d e"]
    expected = [
        sentence_bleu([one.split()], two.split(), smoothing_function=SmoothingFunction().method7)
        for one, two in zip(inputs, texts, strict=True)
    ]
    assert reconstructions.bleu(inputs, texts) == pytest.approx(expected)


def test_a_collapsed_model_gives_one_text_for_all_draws_of_the_prior(folder):
    model, data = model_of("SentenceVAE", folder), data_of(folder)
    assert len(set(texts_of(rows_of(prior_samples, model, data, samples=50), "prior"))) > 5
    with torch.no_grad():
        model.initial.weight.zero_()
    assert len(set(texts_of(rows_of(prior_samples, model, data, samples=50), "prior"))) == 1


def test_stretched_points_are_longer_by_the_stated_factor_in_the_root_mean_square():
    rng = np.random.default_rng(0)
    z = rng.standard_normal(16)
    squared = [np.sum((prior_samples.stretching(16, 2, rng) @ z) ** 2) / np.sum(z**2) for _ in range(4000)]
    error = np.std(squared) / np.sqrt(4000)
    assert abs(np.mean(squared) - 4) < 4 * error
    assert error < 0.05


def test_the_papers_range_is_that_of_a_factor_of_two_in_1200_dimensions():
    found = prior_samples.stretching(1200, 2, np.random.default_rng(0))
    assert np.abs(found).max() == pytest.approx(0.1, abs=1e-5)
    # its greatest singular value, 2 c sqrt(Z / 3), is the paper's 4 (brief of the paper)
    assert np.linalg.norm(found[:300, :300], 2) == pytest.approx(2, rel=0.05)


def test_a_stretched_draw_is_one_matrix_times_the_draw(folder):
    model, data = model_of("SentenceVAE", folder), data_of(folder)
    rows = rows_of(prior_samples, model, data, samples=30, stretch=2.0)
    rng = np.random.default_rng((SEED, 2))
    z = rng.standard_normal((30, NETWORK.latent))
    matrix = rng.uniform(-1, 1, (NETWORK.latent, NETWORK.latent)) * 2 * np.sqrt(3 / NETWORK.latent)
    stretched = [row for row in rows if row["kind"] == "stretched"]
    assert [row["norm_before"] for row in stretched] == pytest.approx([np.linalg.norm(one) for one in z])
    assert [row["norm"] for row in stretched] == pytest.approx([np.linalg.norm(matrix @ one) for one in z])
    plain = rows_of(prior_samples, model, data, samples=30)
    assert texts_of(rows, "prior") == texts_of(plain, "prior")


def test_texts_are_judged_one_by_one(folder):
    judge = model_of("RNNLM", folder)
    units = Words.read(folder / "words.parquet")
    model, data = model_of("SentenceVAE", folder), data_of(folder, Judge(judge, units), GRAMMAR)
    rows = rows_of(reconstructions, model, data, sentences=12, draws=1)
    for row in rows:
        if not row["text"]:
            continue
        batch = ExampleDataset.of_sentences([row["text"]], units).batch(np.array([0]))
        with torch.no_grad():
            assert row["nll_lm"] == pytest.approx(float(judge.nll(batch.response, torch.Generator())))
    inputs = [row for row in rows if row["kind"] == "input"]
    assert all(row["grammatical"] and row["topic_agrees"] is None for row in inputs)
    assert not all(row["grammatical"] for row in rows if row["kind"] != "input")


def test_topics_agree_with_the_texts_of_the_same_topic_alone(folder, sentences):
    from pipeline_lib.analyses.verdicts import grammatical
    from pipeline_lib.corpora.grammar_parser import Parser
    from pipeline_lib.corpora.grammar_rules import grammar_of

    parser = Parser(grammar_of(GRAMMAR))
    of_topic = {name: text for text in sentences if len(names := parser.topics(text.split())) == 1 for name in names}
    one, other = of_topic.values()
    found = grammatical(GRAMMAR, [one, one, one, one, "soup soup"], [[one], [other], [other, one], [], [one]])
    assert [row["topic_agrees"] for row in found] == [True, False, True, None, None]
    assert [row["grammatical"] for row in found] == [True, True, True, True, False]


def test_a_language_model_has_no_latent_space_and_an_autoencoder_no_prior(folder):
    data = data_of(folder)
    with pytest.raises(PipelineError, match="RNNLM has no latent space"):
        rows_of(prior_samples, model_of("RNNLM", folder), data)
    for kind, options in ((prior_samples, {}), (paths, {"between": "prior"})):
        with pytest.raises(PipelineError, match="SequenceAutoencoder has no prior"):
            rows_of(kind, model_of("SequenceAutoencoder", folder), data, **options)


def test_more_sentences_than_the_split_has_are_refused_with_their_number(folder):
    with pytest.raises(PipelineError, match="62 sentences are to be drawn, and the split 'test' has 60"):
        rows_of(paths, model_of("SentenceVAE", folder), data_of(folder), between="sentences", paths=31)
