"""One context as each of many users: the same noise for all, and columns that follow their users."""

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
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.transfer import TRANSFER
from pipeline_lib.tables.transfer import make
from unit.models.test_models_persona import batch, made

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


def test_a_system_without_users_is_an_error() -> None:
    data = Data(Path("v"), {}, {}, {}, None, Training(), 1)
    with pytest.raises(PipelineError, match="reads no users"):
        analyse(made("diawae_gmd"), data, Options(), 1)


def transfer(path: Path) -> Path:
    """Two contexts, answered by sixty users as they themselves would."""
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
            "response": truth.sample(said, user, rng),
        }
        for case in range(2)
        for user in range(USERS)
    ]
    write_parquet(path, pa.Table.from_pylist(rows, TRANSFER), TRANSFER)
    return path


def test_the_table_shows_the_most_active_others_and_says_how_well_the_answers_fit(tmp_path: Path) -> None:
    declared = {"kind": "transfer", "title": "Transfer", "from": "transfer", "users": 3, "systems": ["persona_wae"]}
    spec = TransferTable.model_validate(declared)
    layout = Layout(corpora={"personas": "Personas"}, systems={"persona_wae": WAE}, seeds=[1])
    table = make("table6", spec, layout, [transfer(tmp_path / "transfer.parquet")])
    assert [line[0] for line in table.sections[0].blocks[0].lines] == ["as", "user00", "user02", "user03"]
    assert len(table.records) == 2 * USERS
    assert "120 responses, each context as every user: persona-accuracy 0." in table.notes[0]
    assert "persona-relevance 1.000" in table.notes[0]
