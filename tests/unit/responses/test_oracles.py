"""Reference rows: random, constant and the oracles of the generated users."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline_lib.config.corpora import Source, Window
from pipeline_lib.config.personas import Personas
from pipeline_lib.corpora.persona_truth import PersonaTruth
from pipeline_lib.corpora.personas import generate
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.windows import extract_examples
from pipeline_lib.files.formats import read_parquet, write_parquet
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.persona import Accuracy, Facts
from pipeline_lib.responses.baselines import baseline
from pipeline_lib.responses.exact import exact
from pipeline_lib.responses.oracles import oracle
from pipeline_lib.schemas.dialogues import DIALOGUES, SPLITS
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.text.tokenisers.spaces import tokenise_array

SOURCE = Source(
    reader="personas",
    label="Personas",
    licence="",
    tokeniser="spaces",
    window=Window(context=2),
    personas=Personas(dialogues=60, validation=0.2, test=0.2),
)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("personas")
    rows = pa.Table.from_batches([generate(SOURCE.personas)])
    write_parquet(folder / "dialogues.parquet", rows, DIALOGUES)
    outputs = {split: folder / f"{split}.parquet" for split in SPLITS}
    extract_examples(folder / "dialogues.parquet", SOURCE.window, tokenise_array, outputs, folder / "tokens.parquet")
    return outputs


def test_the_truth_row_has_the_loss_of_every_response_given_its_user(examples):
    table, texts = exact("truth", SOURCE, examples["test"], "test"), read_parquet(examples["test"])
    truth = PersonaTruth()
    for row, nll in zip(texts.to_pylist(), table["nll"].to_pylist(), strict=True):
        assert nll == pytest.approx(-truth.log_p(row["context"].split(" <turn> ")[1], row["response"], row["label"]))


def test_oracles_know_the_facts_and_a_stranger_knows_less(examples):
    accuracy, facts = {}, {}
    for kind in ("sample", "mode", "stranger"):
        table = oracle(kind, SOURCE, examples["test"], seed=1, samples=3)
        assert max(table["sample"].to_pylist()) == (0 if kind == "mode" else 2)
        items = Items.from_table(table)
        accuracy[kind], facts[kind] = Accuracy()(items).mean, Facts()(items).mean
    assert facts["sample"] == facts["mode"] == 1
    assert facts["stranger"] < 1
    assert accuracy["mode"] > accuracy["sample"] > accuracy["stranger"]


def test_the_oracles_of_another_corpus_are_an_error(tmp_path):
    row = {
        "example_id": 0,
        "dialogue_id": "a",
        "turn": 0,
        "context": "hello <turn> you",
        "response": "yes",
        "user": None,
        "label": None,
    }
    write_parquet(tmp_path / "test.parquet", pa.Table.from_pylist([row], EXAMPLES), EXAMPLES)
    with pytest.raises(PipelineError, match="known of 0 of 1 examples"):
        oracle("mode", SOURCE, tmp_path / "test.parquet", 1, 1)


def test_the_random_row_has_as_many_samples_as_asked_and_the_constant_one_is_the_most_frequent(examples):
    one, three = (baseline("random", examples["train"], examples["test"], 4, samples) for samples in (1, 3))
    n = len(one)
    assert len(three) == 3 * n
    assert three["example_id"].to_pylist() == one["example_id"].to_pylist() * 3
    assert three["sample"].to_pylist() == [0] * n + [1] * n + [2] * n
    expected = np.random.default_rng(4).integers(len(read_parquet(examples["train"])), size=n)
    pool = read_parquet(examples["train"])["response"].to_pylist()
    assert one["response"].to_pylist() == [pool[i] for i in expected]
    constant = baseline("constant", examples["train"], examples["test"], 4)["response"].to_pylist()
    assert constant == [Counter(pool).most_common(1)[0][0]] * n
