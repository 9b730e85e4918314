"""Imputation: which sentences, which words, and what a system with or without a code puts there."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.imputation import Options, analyse, cut, paired
from pipeline_lib.analyses.imputer import Imputer, Search
from pipeline_lib.config.networks import LanguageModel
from pipeline_lib.config.training import Training
from pipeline_lib.decoding.beam import FREE
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.batch import Batch, Response
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.models.system import System, create
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.imputations import IMPUTATIONS
from pipeline_lib.text.ids import Ids
from unit.model_fixtures import SmallUnits, generator, make_model
from unit.vocabularies import write_words

IDS, VOCABULARY = Ids(), 9
NETWORK = LanguageModel(embedding=4, hidden=5, latent=3, initial_range=1.5)
WORDS = ["the", "tea", "is", "cold", "."]


def model_of(name: str) -> System:
    torch.manual_seed(2)
    options = {"direction": "right_to_left"}
    return create(f"pipeline_lib.models.sentence_vae:{name}", options, SmallUnits(None, VOCABULARY), NETWORK).double()


def imputer_of(name: str, **search: int) -> Imputer:
    return Imputer(model_of(name), SmallUnits(None, VOCABULARY), Search(**search))


# --- sentences --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "hidden"), [(1, 1), (2, 1), (5, 1), (6, 2), (10, 2), (11, 3), (15, 3), (20, 4), (21, 5), (35, 7)]
)
def test_one_word_in_five_is_hidden_rounded_up(words, hidden):
    text = " ".join(map(str, range(words)))
    prefix, ending = cut(text, 5)
    assert len(ending.split(" ")) == hidden
    assert f"{prefix} {ending}".strip() == text


def test_pairs_are_of_one_length_and_no_sentence_is_in_two():
    rng = np.random.default_rng(0)
    texts = [" ".join([str(number), *["w"] * rng.integers(0, 6)]) for number in range(101)]
    pairs = paired(texts, seed=4)
    assert all(len(a.split(" ")) == len(b.split(" ")) for a, b in pairs)
    used = [text for pair in pairs for text in pair]
    assert len(set(used)) == len(used)
    lengths = Counter(len(text.split(" ")) for text in texts)
    assert len(pairs) == sum(count // 2 for count in lengths.values())
    assert pairs == paired(texts, seed=4) != paired(texts, seed=5)


def test_sentences_that_are_all_of_different_lengths_are_an_error():
    with pytest.raises(PipelineError, match="no two of 2 sentences"):
        paired(["a", "a b"], seed=1)


def analysed(folder, name="RNNLM", **options):
    write_words(folder / "words.parquet", WORDS)
    texts = ["the tea is cold .", "the tea is warm .", "tea is tea .", "is the tea cold .", "the <unk> is cold .", "."]
    rows = [(i, "d", 0, "", text, None, None) for i, text in enumerate([*texts, "tea", "cold tea is ."])]
    table = pa.Table.from_pylist([dict(zip(EXAMPLES.names, row, strict=True)) for row in rows], EXAMPLES)
    write_parquet(folder / "test.parquet", table, EXAMPLES)
    data = Data(folder / "words.parquet", {}, {"test": folder / "test.parquet"}, {}, None, Training(), 1)
    return analyse(model_of(name), data, Options(**options), 3)


def test_completed_sentences_are_judged_as_wholes(tmp_path, monkeypatch):
    judged = []
    monkeypatch.setattr(
        "pipeline_lib.analyses.verdicts.verdicts_on",
        lambda texts, references, data: (
            judged.extend(zip(texts, references, strict=True)) or [{"nll_lm": 1.5}] * len(texts)
        ),
    )
    rows = analysed(tmp_path).to_pylist()
    whole = [tuple(f"{row['prefix']} {row[end]}".strip() for end in ("imputed", "ending")) for row in rows]
    assert judged == [(completed, [true]) for completed, true in whole]
    assert {row["nll_lm"] for row in rows} == {1.5}
    assert {row["grammatical"] for row in rows} == {None}


@pytest.mark.parametrize("name", ["RNNLM", "SentenceVAE"])
def test_only_sentences_of_known_words_are_read_and_their_endings_are_as_long_as_before(tmp_path, name):
    table = analysed(tmp_path, name)
    assert table.schema == IMPUTATIONS
    texts = set()
    for row in table.to_pylist():
        whole = f"{row['prefix']} {row['ending']}".strip()
        assert len(row["beside"].split(" ")) == len(whole.split(" "))
        assert len(row["imputed"].split(" ")) == len(row["ending"].split(" "))
        assert set(row["imputed"].split(" ")) <= set(WORDS)
        texts |= {row["beside"], whole}
    assert texts == {"the tea is cold .", "is the tea cold .", "tea is tea .", "cold tea is .", ".", "tea"}
    assert table["pair"].to_pylist() == [0, 1, 2]


def test_every_system_is_asked_for_the_same_endings(tmp_path):
    first, second = (analysed(tmp_path, name).drop_columns("imputed") for name in ("RNNLM", "SentenceVAE"))
    assert first == second


def test_a_system_that_does_not_model_sentences_is_an_error():
    with pytest.raises(PipelineError, match="Seq2Seq does not model single sentences"):
        Imputer(make_model("seq2seq"), SmallUnits(None, 30), Search())


# --- words ------------------------------------------------------------------------------------------------------------


def nll(model: System, words: list[int], z: torch.Tensor | None) -> float:
    targets, inputs = torch.tensor([[*words, IDS.end]]), torch.tensor([[IDS.start, *words]])
    response = Response(inputs, targets, torch.tensor([len(words) + 1]))
    return float(model.nll(response, generator()) if z is None else model.nll(response, z, generator()))


def test_a_language_model_finds_the_likeliest_of_all_endings():
    model, prefix = model_of("RNNLM").eval(), [6, 4, 7]
    with torch.no_grad():
        losses = {(a, b): nll(model, [*prefix, a, b], None) for a in range(4, 9) for b in range(4, 9)}
    [found] = imputer_of("RNNLM", beam=25).endings(["w6 w4 w7 w4 w4"], [2])
    assert found == " ".join(f"w{word}" for word in min(losses, key=losses.get))


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_a_code_is_that_of_the_sentence_as_it_was_filled_in_the_round_before(rounds):
    model, prefix = model_of("SentenceVAE").eval(), [6, 4, 7]
    ending = (IDS.unknown, IDS.unknown)
    with torch.no_grad():
        for _ in range(rounds):
            words = torch.tensor([[IDS.start, *prefix, *ending]])
            z = model.encode(Batch(Response(words, words, torch.tensor([6])))).mean
            losses = {(a, b): nll(model, [*prefix, a, b], z) for a in range(4, 9) for b in range(4, 9)}
            ending = min(losses, key=losses.get)
    found = imputer_of("SentenceVAE", beam_of_codes=25, rounds=rounds).endings(["w6 w4 w7 w4 w4"], [2])
    assert found == [" ".join(f"w{word}" for word in ending)]


@pytest.mark.parametrize("name", ["RNNLM", "SentenceVAE", "SequenceAutoencoder"])
def test_sentences_are_imputed_together_as_they_are_one_by_one(name):
    rng, imputer = np.random.default_rng(1), imputer_of(name)
    texts = [" ".join(f"w{word}" for word in rng.integers(4, 9, length)) for length in rng.integers(2, 7, 30)]
    unknown = [int(rng.integers(0, len(text.split(" ")) + 1)) for text in texts]
    together = imputer.endings(texts, unknown)
    assert together == [imputer.endings([text], [count])[0] for text, count in zip(texts, unknown, strict=True)]
    assert [len(ending.split()) for ending in together] == unknown


def test_a_sentence_of_one_word_is_all_unknown():
    [found] = imputer_of("SentenceVAE").endings(["w5"], [1])
    assert found in {f"w{word}" for word in range(4, 9)}


def test_words_anywhere_are_filled_and_the_others_stay():
    found = imputer_of("RNNLM").sentence(["w4", None, "w8", None, "w5"]).split(" ")
    assert (found[0], found[2], found[4]) == ("w4", "w8", "w5")
    assert all(4 <= int(word[1:]) <= 8 for word in found)


def test_what_is_filled_depends_on_the_known_words_alone():
    imputer, known = imputer_of("SentenceVAE"), torch.tensor([[4, FREE, 8], [4, FREE, 8], [FREE, 5, 5]])
    whole = imputer.fill(known)
    assert whole[0].tolist() == whole[1].tolist()
    assert torch.equal(torch.where(known == FREE, FREE, whole), known)


@pytest.mark.parametrize(
    ("texts", "unknown", "problem"),
    [
        (["w4 w5", "w4 w5"], [1, 3], "3 unknown words at the end of 2"),
        (["w4"], [2], "2 unknown words at the end of 1"),
        (["w4"], [-1], "-1 unknown words at the end of 1"),
        (["w4", ""], [1, 0], "a sentence without words"),
    ],
)
def test_more_unknown_words_than_there_are_is_an_error_that_names_the_sentence(texts, unknown, problem):
    with pytest.raises(PipelineError, match=problem) as caught:
        imputer_of("RNNLM").endings(texts, unknown)
    assert f"sentence {len(texts)}" in caught.value.where


def test_a_sentence_of_nothing_is_an_error():
    with pytest.raises(PipelineError, match="without words"):
        imputer_of("RNNLM").sentence([])
