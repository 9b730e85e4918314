"""The command that tries a trained system on sentences of one's own."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline_lib import sentences
from pipeline_lib.config.layout import Description
from pipeline_lib.config.networks import LanguageModel
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.models import saved
from pipeline_lib.text.words import Words
from unit.vocabularies import write_words

WORDS = ["i", "like", "do", "n't", "the", "soup", "rain", ".", "?"]
NETWORK = LanguageModel(embedding=6, hidden=9, latent=4, initial_range=2.0)


def save_model(results: Path, name: str, kind: str) -> Path:
    path = results / f"models/kitchen/{name}/seed1/model.safetensors"
    path.parent.mkdir(parents=True)
    torch.manual_seed(3)
    description = Description(model=f"pipeline_lib.models.sentence_vae:{kind}", options={}, network=NETWORK)
    model = saved.build(description, Words.read(results / "vocabulary/kitchen/words.parquet"))
    saved.save(path, model.state_dict(), description)
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    results = tmp_path_factory.mktemp("results")
    (results / "vocabulary/kitchen").mkdir(parents=True)
    write_words(results / "vocabulary/kitchen/words.parquet", WORDS)
    kinds = {"vae": "SentenceVAE", "autoencoder": "SequenceAutoencoder", "rnnlm": "RNNLM"}
    return {name: save_model(results, name, kind) for name, kind in kinds.items()}


@pytest.fixture
def command(monkeypatch, capsys):
    """Calls the command line: its status, and the lines that it prints to stdout and stderr."""

    def call(*words: object) -> tuple[int, list[str], str]:
        monkeypatch.setattr(sys, "argv", ["sentences", *map(str, words)])
        status = 0
        try:
            sentences.run()
        except SystemExit as stop:
            status = int(stop.code or 0)
        printed = capsys.readouterr()
        return status, printed.out.splitlines(), printed.err

    return call


def test_the_ends_of_an_interpolation_are_the_reconstructed_means(models, command):
    pair = ("i like soup .", "do you like rain ?")
    _, path, _ = command("interpolate", "--model", models["vae"], *pair, "--points", 5)
    _, rebuilt, _ = command("reconstruct", "--model", models["vae"], *pair)
    assert [line.split("\t")[0] for line in path] == ["0.000", "0.250", "0.500", "0.750", "1.000"]
    means = [line.split("\t")[1] for line in rebuilt if line.startswith("mean")]
    assert [path[0].split("\t")[1], path[-1].split("\t")[1]] == means
    assert [line.split("\t")[0] for line in rebuilt] == ["input", "mean", "draw 1", "draw 2", "draw 3"] * 2


def test_a_sentence_is_encoded_as_the_mean_of_its_posterior(models, command):
    _, lines, _ = command("encode", "--model", models["vae"], "i like soup .", "rain ?")
    system, units = sentences.open_model(models["vae"])
    ids = torch.from_numpy(units.encode(pa.array(["i like soup ."])).ids.astype(np.int64))
    with torch.no_grad():
        state = system.encoder(system.decoder.embedding(ids).unsqueeze(0))[1][0][0]
        mean = system.recognition(state)[0, : NETWORK.latent]
    assert [float(value) for value in lines[0].split("\t")] == pytest.approx(mean.tolist(), abs=1e-5)
    assert len(lines) == 2


def test_samples_are_those_of_their_seed(models, command):
    first, again, other = (
        command("sample", "--model", models["vae"], "--count", 20, "--seed", seed)[1] for seed in (1, 1, 2)
    )
    assert len(first) == 20
    assert first == again
    assert first != other


def test_words_that_the_vocabulary_lacks_are_named_and_plain_english_is_cut_as_it_is(models, command):
    status, lines, stderr = command("reconstruct", "--model", models["vae"], "I don't like the soup.", "quick soup")
    assert status == 0
    assert [line for line in lines if line.startswith("input")] == [
        "input\ti do n't like the soup .",
        "input\tquick soup",
    ]
    assert stderr.splitlines() == ["not in the vocabulary, read as <unk>: quick"]


@pytest.mark.parametrize(
    ("words", "given", "read", "named"),
    [
        (["zebras", "like", "soup", "the"], "Zebras like soup.", "zebras like soup .", "."),  # no full stop is known
        (["the", "cat", "sat", "on", "N"], "The cat sat on 12 mats.", "the cat sat on 12 mats .", "12, mats, ."),
        (["like", "soup."], "soup. like", "soup. like", None),
        (["我", "们", "好"], "我们好", "我 们 好", None),
        (["i", "like"], "_ like i", "_ like i", "_"),  # only `impute` fills it
    ],
)
def test_a_sentence_is_cut_so_that_the_fewest_letters_are_in_unknown_words(tmp_path, capsys, words, given, read, named):
    write_words(tmp_path / "words.parquet", words)
    assert sentences.read_sentences([given], Words.read(tmp_path / "words.parquet")) == [read]
    expected = f"not in the vocabulary, read as <unk>: {named}\n" if named else ""
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("points", [0, 1])
def test_a_path_of_fewer_points_than_its_two_ends_is_refused(models, command, points):
    status, _, stderr = command("interpolate", "--model", models["vae"], "i like", "soup .", "--points", points)
    assert status == 2
    assert "a path has two ends" in stderr


@pytest.mark.parametrize("name", ["vae", "rnnlm"])
def test_unknown_words_are_imputed_and_the_others_stay(models, command, name):
    status, lines, stderr = command(
        "impute", "--model", models[name], "i like _ _ .", "Do _ like the rain?", "i like ."
    )
    assert (status, stderr) == (0, "")
    words = [line.split() for line in lines]
    assert words[0][:2] == ["i", "like"]
    assert words[0][4:] == ["."]
    assert [*words[1][:1], *words[1][2:]] == ["do", "like", "the", "rain", "?"]
    assert lines[2] == "i like ."
    assert {words[0][2], words[0][3], words[1][1]} <= set(WORDS)  # <unk>, padding, start and end are barred


def test_a_word_that_the_model_lacks_stays_in_a_sentence_whose_others_are_imputed(models, command):
    _, [line], stderr = command("impute", "--model", models["rnnlm"], "quick rain _ .")
    assert line.startswith("quick rain ")
    assert "quick" in stderr


def test_a_language_models_imputed_word_is_the_likeliest_of_all(models, command):
    _, [line], _ = command("impute", "--model", models["rnnlm"], "i like _ .")
    system, units = sentences.open_model(models["rnnlm"])
    losses = {}
    for word in WORDS:
        batch = ExampleDataset.of_sentences([f"i like {word} ."], units).batch(np.array([0]))
        with torch.no_grad():
            losses[word] = float(system.nll(batch.response, torch.Generator()))
    assert line == f"i like {min(losses, key=losses.get)} ."


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("encode", "--model", "vae", " "), "a sentence is empty"),
        (("encode", "--model", "rnnlm", "soup"), "RNNLM has no latent space"),
        (("sample", "--model", "autoencoder"), "SequenceAutoencoder has no prior"),
        (("sample", "--model", "none"), "no such file"),
        (("sample", "--model", "elsewhere"), "no vocabulary of the corpus 'kitchen'"),
        (("sample", "--model", "moved"), "not a model in the results of a run"),
        (("sample", "--model", "summary"), "not a model in the results of a run"),
    ],
)
def test_what_cannot_be_done_is_an_error_with_a_remedy(models, command, tmp_path, words, problem):
    elsewhere = tmp_path / "models/kitchen/vae/seed1/model.safetensors"
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_bytes(models["vae"].read_bytes())
    moved, summary = tmp_path / "model.safetensors", elsewhere.with_name("summary.json")
    for path in (moved, summary):
        path.write_bytes(elsewhere.read_bytes())
    places = models | {"none": tmp_path / "none", "elsewhere": elsewhere, "moved": moved, "summary": summary}
    status, lines, stderr = command(*(places.get(word, word) for word in words))
    assert (status, lines) == (1, [])
    assert problem in stderr
    assert "remedy:" in stderr
    assert "delete the file" not in stderr


def test_the_empty_one_of_several_sentences_is_numbered(models, command):
    status, lines, stderr = command("reconstruct", "--model", models["vae"], "i like soup .", "")
    assert (status, lines) == (1, [])
    assert "sentence 2 of the command line" in stderr


def test_a_sentence_of_one_word_is_encoded_rebuilt_and_imputed(models, command):
    for words in (("encode", "soup"), ("reconstruct", "soup"), ("interpolate", "soup", "rain"), ("impute", "_")):
        status, lines, stderr = command(words[0], "--model", models["vae"], *words[1:])
        assert (status, stderr) == (0, "")
        assert lines
    assert lines[0] in WORDS


def test_a_number_below_zero_is_refused_before_the_model_is_read(command):
    status, _, stderr = command("sample", "--model", "m", "--count", "-1")
    assert status == 2
    assert "-1" in stderr


@pytest.mark.parametrize(
    "words", [("sample", "--count"), ("reconstruct", "soup", "--draws"), ("interpolate", "a", "b", "--points")]
)
def test_more_texts_than_memory_should_hold_are_refused_before_the_model_is_read(command, words):
    status, _, stderr = command(words[0], "--model", "m", *words[1:], "100001")
    assert status == 2
    assert "100,001 at once" in stderr
