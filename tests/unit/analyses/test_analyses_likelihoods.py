"""The two parts of the bound of each sentence, against loops and closed forms."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline_lib.analyses import likelihoods
from pipeline_lib.analyses.data import Data
from pipeline_lib.config.networks import LanguageModel
from pipeline_lib.config.training import Training
from pipeline_lib.examples.encoded import encode_examples
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.models.system import System, create
from pipeline_lib.schemas.examples import EXAMPLES
from unit.model_fixtures import VOCABULARY, SmallUnits

UNITS = SmallUnits(None, VOCABULARY)
NETWORK = LanguageModel(embedding=6, hidden=7, latent=5, initial_range=0.5)
TEXTS = ["w4 w5 w6", "w7", "w9 w9 w4 w5", "w8 w29"]


def model_of(name: str, keep: float) -> System:
    torch.manual_seed(3)
    return create(f"pipeline_lib.models.sentence_vae:{name}", {"keep": keep}, UNITS, NETWORK).double()


@pytest.fixture
def data(tmp_path) -> Data:
    rows = [
        {"example_id": i, "dialogue_id": "d", "turn": 0, "context": "", "response": text}
        for i, text in enumerate(TEXTS)
    ]
    write_parquet(tmp_path / "examples.parquet", pa.Table.from_pylist(rows, EXAMPLES), EXAMPLES)
    encode_examples(tmp_path / "examples.parquet", UNITS, tmp_path / "test.arrow")
    return Data(tmp_path, {"test": tmp_path / "test.arrow"}, {}, {}, None, Training(), 1)


@pytest.mark.parametrize("keep", [0.5, 0.0])
def test_the_parts_are_those_of_a_loop_over_sentences_whose_decoder_ignores_z(data, keep):
    model = model_of("SentenceVAE", keep)
    with torch.no_grad():
        model.initial.weight.zero_()
    rows = likelihoods.analyse(model, data, likelihoods.Options(), 1).to_pylist()
    expected = []
    for text in sorted(TEXTS, key=lambda text: len(text.split())):
        ids = [int(word[1:]) for word in text.split()]
        with torch.no_grad():
            state = model.encoder(model.decoder.embedding(torch.tensor([ids])))[1][0][0]
            mean, log_variance = model.recognition(state)[0].chunk(2)
            kl = 0.5 * float((mean**2 + log_variance.exp() - 1 - log_variance).sum())
            steps, nll = model.steps(torch.zeros(1, 5, dtype=torch.float64)), 0.0
            for word, following in zip([UNITS.ids.start, *ids], [*ids, UNITS.ids.end], strict=True):
                scores = steps.next(torch.tensor([word]))[0]
                nll -= float(scores[following] - scores.exp().sum().log())
        expected.append((keep, nll, kl, nll + kl))
    for row, values in zip(rows, expected, strict=True):
        assert tuple(row.values()) == pytest.approx(values)


def test_the_split_is_the_one_that_is_asked_for(data):
    with pytest.raises(KeyError):
        likelihoods.analyse(model_of("SentenceVAE", 1.0), replace(data, encoded={}), likelihoods.Options(), 1)
    table = likelihoods.analyse(model_of("SentenceVAE", 1.0), data, likelihoods.Options(split="test"), 1)
    assert np.isfinite(table["bound"].to_numpy()).all()
