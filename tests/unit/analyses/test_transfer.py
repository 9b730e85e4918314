"""One context as each of many users: the same noise, columns that follow their users, and who may be shown."""

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.transfer import Options, analyse, respond_as
from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import TransferTable
from pipeline_lib.config.systems import SystemSettings
from pipeline_lib.config.training import Training
from pipeline_lib.corpora.persona_language import USERS
from pipeline_lib.corpora.persona_truth import PersonaTruth
from pipeline_lib.files.formats import read_parquet, write_parquet
from pipeline_lib.models.system import create
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.transfer import TRANSFER
from pipeline_lib.tables.transfer import make
from pipeline_lib.text.words import Words
from unit.models.test_models_persona import batch, made
from unit.personal_jobs import NETWORK, read_by, write_dialogues
from unit.personal_jobs import USERS as PEOPLE

WAE = SystemSettings(label="PersonaWAE", model="pipeline_lib.models.persona_wae:PersonaWAE")


@pytest.mark.parametrize("system", ["persona", "cvae", "persona_wae", "without_prior", "without_fusion"])
def test_permuted_users_permute_the_responses_and_nothing_else(system: str) -> None:
    model, given = made(system).eval(), batch(8)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)  # so that users differ in what they say
    users = np.array([1, 2, 3, 4, 5, 6])
    order = np.array([3, 0, 5, 1, 4, 2])
    first, permuted = (respond_as(model, given, own, max_length=6, seed=1) for own in (users, users[order]))
    assert permuted == [first[i] for i in order]
    assert len({str(own) for own in first}) > 1


def test_who_speaks_in_a_context_or_gives_the_reference_is_marked(tmp_path: Path) -> None:
    folder = write_dialogues(tmp_path)
    responding = read_parquet(folder / "responding.parquet")
    examples = read_parquet(folder / "examples.parquet")
    names = pa.array([f"user{number}" for number in responding["user"].to_pylist()])
    examples = examples.set_column(EXAMPLES.get_field_index("user"), EXAMPLES.field("user"), names)
    write_parquet(folder / "examples.parquet", examples, EXAMPLES)
    splits = dict.fromkeys(("train", "test"), folder / "examples.parquet")
    encoded = {"test": folder / "train.arrow"}
    data = Data(folder / "words.parquet", encoded, splits, read_by(folder), None, Training(), 1)
    model = create(
        "pipeline_lib.models.persona_seq2seq:PersonaSeq2Seq",
        {"users": PEOPLE},
        Words.read(folder / "words.parquet"),
        NETWORK,
    )
    table = analyse(model, data, Options(contexts=9, max_length=3), 1)
    of_example = {row["example_id"]: row for row in responding.to_pylist()}
    rows = table.to_pylist()
    assert len(rows) == 9 * len(set(responding["user"].to_pylist()) - {0})
    for row in rows:
        example = of_example[row["example_id"]]
        assert row["name"] == f"user{row['user']}"
        assert row["present"] == (row["user"] in [example["user"], *example["speakers"]])
    in_context_alone = [
        row["user"] in of_example[row["example_id"]]["speakers"] and row["name"] != row["speaker"] for row in rows
    ]
    assert any(in_context_alone)


def transfer(path: Path) -> Path:
    """Two contexts, answered by sixty users as they themselves would; the two most active ones are in the dialogue."""
    truth, rng = PersonaTruth(), random.Random(1)
    before = "ahem mate the lamp looks quite rusty still maybe"
    context = f"so look at the lamp boss i guess it is quite fine okay <turn> {before}"
    said = truth.language.parse(before)
    rows = [
        {
            "case": case,
            "example_id": 7 + case,
            "context": context,
            "reference": "r",
            "speaker": "user01",
            "user": user + 1,
            "name": f"user{user:02d}",
            "label": user,
            "present": user < 2,  # user00 speaks in the context
            "response": truth.sample(said, user, rng),
        }
        for case in range(2)
        for user in range(USERS)
    ]
    write_parquet(path, pa.Table.from_pylist(rows, TRANSFER), TRANSFER)
    return path


def test_the_table_shows_the_most_active_users_outside_and_says_how_well_the_answers_fit(tmp_path: Path) -> None:
    declared = {"kind": "transfer", "title": "Transfer", "from": "transfer", "users": 3, "systems": ["persona_wae"]}
    spec = TransferTable.model_validate(declared)
    layout = Layout(corpora={"personas": "Personas"}, systems={"persona_wae": WAE}, seeds=[1])
    table = make("table6", spec, layout, [transfer(tmp_path / "transfer.parquet")])
    assert [line[0] for line in table.sections[0].blocks[0].lines] == ["as", "user02", "user03", "user04"]
    assert len(table.records) == 2 * USERS
    assert "120 responses, each context as every user: persona-accuracy 0." in table.notes[0]
    assert "persona-relevance 1.000" in table.notes[0]
