"""PersonaWAE itself: killed in any phase it ends with the same weights, and processes share each of its batches."""

import functools
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pipeline_lib.compute.device import seed_weights
from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.config.training import Optimiser, PhaseSettings, Training
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.files.checksums import sha256
from pipeline_lib.models.persona_policy import REWARDS
from pipeline_lib.models.system import Objective, create
from pipeline_lib.text.words import Words
from pipeline_lib.training.loop import Trainer
from unit.compute.test_several_ranks import assert_same_training
from unit.personal_jobs import KILL, KILLED, NETWORK, SETTINGS, USERS, WASSERSTEIN, read_by, write_dialogues
from unit.training_jobs import finish, start, without_speed

ADAPTED = {"adapted": PhaseSettings(optimiser=Optimiser(kind="adam", learning_rate=1e-3))}
POLICY = {"policy": PhaseSettings(optimiser=Optimiser(kind="adam", learning_rate=1e-3))}
SYSTEMS: dict[str, tuple[str, dict[str, Any], Training]] = {
    "persona_wae": ("persona_wae:PersonaWAE", {"users": USERS}, WASSERSTEIN),
    "cvae": ("persona_wae:PersonaCVAE", {"users": USERS}, SETTINGS),
    "adaptation": ("persona_seq2seq:AdaptedSeq2Seq", {"general": 7}, SETTINGS.model_copy(update={"phases": ADAPTED})),
    "rl_persona": ("persona_policy:PolicySeq2Seq", {"general": 7}, SETTINGS.model_copy(update={"phases": POLICY})),
}
# the update of each phase that a job does not survive: of a critic with five updates, the third of the eighth round
DEATHS = {
    "persona_wae": {"autoencoder": 8, "generator": 8, "critic": 38},
    "cvae": {"all": 8},
    "adaptation": {"general": 6, "adapted": 4},
    "rl_persona": {"language": 6, "supervised": 6, "policy": 4},
}


class DiedError(Exception):
    """The job is gone."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dialogues(tmp_path_factory.mktemp("dialogues"))


def trainer(corpus: Path, folder: Path, system: str) -> Trainer:
    path, options, settings = SYSTEMS[system]
    seed_weights(1)
    model = create(f"pipeline_lib.models.{path}", options, Words.read(corpus / "words.parquet"), NETWORK)
    reads = {"profile": corpus / "profiles.parquet"} if "seq2seq" in path or "policy" in path else read_by(corpus)
    data = ExampleDataset.open(corpus / "train.arrow", reads)
    return Trainer(model, data, data, settings, 1, folder / "state", folder / "events", Ranks())


def dying(objective: Callable[..., Objective], at: int) -> Callable[..., Objective]:
    calls = iter(range(1, at + 1))

    def until_then(*arguments: Any) -> Objective:
        if next(calls) == at:
            raise DiedError
        return objective(*arguments)

    return until_then


@functools.cache
def whole(corpus: Path, system: str) -> tuple[dict[str, Tensor], str]:
    done = trainer(corpus, corpus / f"whole_{system}", system).run()
    return done.weights, done.history


@pytest.mark.parametrize(("system", "phase"), [(system, phase) for system, own in DEATHS.items() for phase in own])
def test_a_job_that_dies_in_any_phase_ends_with_the_same_weights_bit_for_bit(corpus, tmp_path, system, phase):
    first = trainer(corpus, tmp_path, system)
    [dead] = [each for each in first.phases if each.name == phase]
    dead.objective = dying(dead.objective, DEATHS[system][phase])
    with pytest.raises(DiedError):
        first.run()
    again = trainer(corpus, tmp_path, system)
    assert again.progress.round in (3, 6, 9)
    weights, _ = whole(corpus, system)
    found = again.run().weights
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], own) for name, own in weights.items())


@pytest.fixture(scope="module")
def job(corpus: Path) -> Callable[..., Any]:
    return functools.partial(
        start,
        corpus,
        settings=WASSERSTEIN,
        options={"users": USERS},
        model=KILLED,
        network=NETWORK,
        reads=read_by(corpus),
    )


@pytest.fixture(scope="module")
def alone(job: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone")
    finish(job(out=out))
    return out


def test_a_job_killed_in_each_phase_ends_with_the_weights_of_one_that_was_not(job, tmp_path, alone):
    # counted from the start of each process: in round 8 between two updates of the critic, then in rounds 9 and 13
    for update in ("critic:43", "generator:4", "autoencoder:5"):
        process = job(out=tmp_path, environment={KILL: update})
        process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL
        assert not (tmp_path / "model.safetensors").exists()
    finish(job(out=tmp_path))
    assert sha256(tmp_path / "model.safetensors") == sha256(alone / "model.safetensors")
    assert without_speed(tmp_path / "history.jsonl") == without_speed(alone / "history.jsonl")


def test_rewards_length_and_different_pairs_are_recorded_before_and_after_rewards_are_sought(corpus):
    _, history = whole(corpus, "rl_persona")
    records = [json.loads(line) for line in history.splitlines()]
    validations = {record["step"]: record for record in records if record["kind"] == "validation"}
    assert min(validations) <= 7 < max(validations)  # rounds of cross-entropy alone
    for record in validations.values():
        assert {f"reward_{name}" for name in REWARDS} < set(record)
        assert -1 <= record["reward_context"] <= 1
        assert record["reward_language"] < 0
        assert 0 <= record["length"] <= 20
        assert 0 <= record["distinct_2"] <= 1


def test_two_processes_follow_the_curve_of_one_through_all_phases_and_the_penalty_of_the_critic(job, tmp_path, alone):
    finish(job(out=tmp_path, processes=2))
    assert_same_training(tmp_path, alone)
