"""What a checkpoint holds, which of two is used, and the records beside it."""

import json

import pytest
import torch
from safetensors import safe_open
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import writer

from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.training import checkpoint
from pipeline_lib.training.checkpoint import CURRENT, PREVIOUS, Progress
from pipeline_lib.training.history import History
from pipeline_lib.training.phases import trained_phases
from pipeline_lib.training.selection import Selection
from unit.adversarial import SETTINGS, Adversarial
from unit.model_fixtures import EMBEDDING, NETWORK, VOCABULARY, SmallUnits, generator, make_batch

HISTORY = '{"kind": "train", "step": 0, "note": "ä"}\n'
BEST = {"critic.0.weight": torch.arange(4.0), "deep.name/with.slash": torch.ones(1)}


def trained(updates: int):
    """Return a model of three phases after as many updates of each, with its optimisers."""
    torch.manual_seed(1)
    units = SmallUnits(torch.randn(VOCABULARY, EMBEDDING).numpy())
    model = Adversarial(units, NETWORK, Adversarial.Options()).double()
    phases, noise = trained_phases(model, SETTINGS), generator()
    for _ in range(updates):
        for phase in phases:
            phase.update(phase.objective(make_batch(), 1.0, noise).loss, 0, Ranks())
    return model, {phase.name: phase.optimiser for phase in phases}


def progress(number: int) -> Progress:
    return Progress(number, 2 * number, 3 * number, 4.5, Selection(number, 1.5, True, 6, 7.5, False))


def save(folder, number: int, best=BEST, history: str = HISTORY):
    model, optimisers = trained(number)
    checkpoint.save(folder, progress(number), model, optimisers, best, history)
    return model, optimisers


def states_of(optimisers):
    return {name: optimiser.state_dict()["state"] for name, optimiser in optimisers.items()}


def assert_equal_states(found, expected) -> None:
    assert found.keys() == expected.keys()
    for phase, states in expected.items():
        assert found[phase].keys() == states.keys()
        for index, values in states.items():
            assert found[phase][index].keys() == values.keys()
            for name, value in values.items():
                assert torch.equal(torch.as_tensor(found[phase][index][name]), torch.as_tensor(value))


def test_a_checkpoint_gives_back_weights_optimisers_counters_best_weights_and_history(tmp_path):
    model, optimisers = save(tmp_path, 3)
    fresh, its_optimisers = trained(1)
    found, best, history = checkpoint.load(tmp_path / CURRENT, fresh, its_optimisers)
    assert found == progress(3)
    assert history == HISTORY
    assert best.keys() == BEST.keys()
    assert all(torch.equal(best[name], tensor) for name, tensor in BEST.items())
    for name, tensor in model.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], tensor)
    assert_equal_states(states_of(its_optimisers), states_of(optimisers))
    assert {name for name, states in states_of(its_optimisers).items() if states} == {"generator", "critic"}  # not SGD


def test_a_checkpoint_before_the_first_validation_has_no_best_weights_and_no_history(tmp_path):
    save(tmp_path, 1, {}, "")
    assert checkpoint.load(tmp_path / CURRENT, *trained(1))[1:] == ({}, "")


def test_the_checkpoint_before_the_newest_is_kept_and_older_ones_are_not(tmp_path):
    for number in (1, 2, 3):
        save(tmp_path, number)
    read = {name: json.loads(metadata_of(tmp_path / name)["progress"])["round"] for name in (CURRENT, PREVIOUS)}
    assert read == {CURRENT: 3, PREVIOUS: 2}


def metadata_of(path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return file.metadata()


def test_the_newest_checkpoint_is_used_and_a_damaged_one_only_named(tmp_path, capsys):
    assert checkpoint.newest(tmp_path) is None
    assert capsys.readouterr().err == ""
    for number in (1, 2):
        save(tmp_path, number)
    assert checkpoint.newest(tmp_path) == tmp_path / CURRENT
    assert capsys.readouterr().err == ""
    (tmp_path / CURRENT).write_bytes(b"damaged")
    assert checkpoint.newest(tmp_path) == tmp_path / PREVIOUS
    assert capsys.readouterr().err == f"{tmp_path / CURRENT}: damaged; it is not used\n"
    (tmp_path / PREVIOUS).write_bytes(b"damaged")
    assert checkpoint.newest(tmp_path) is None
    said = capsys.readouterr().err
    assert f"no checkpoint in {tmp_path} is intact; training starts again from the beginning" in said


def test_of_damaged_checkpoints_neither_files_nor_checksums_are_left(tmp_path):
    for number in (1, 2):
        save(tmp_path, number)
    checkpoint.forget_newer(tmp_path, tmp_path / PREVIOUS)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".{PREVIOUS}.sha256", PREVIOUS]
    checkpoint.forget_newer(tmp_path, None)
    assert list(tmp_path.iterdir()) == []
    checkpoint.forget_newer(tmp_path, None)  # nothing to remove


def test_a_finished_job_keeps_its_best_weights_alone_and_trains_nothing(tmp_path):
    for number in (1, 2):
        save(tmp_path, number)
    checkpoint.finish(tmp_path, progress(2), dict(BEST), HISTORY)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".{CURRENT}.sha256", CURRENT]
    with safe_open(tmp_path / CURRENT, "pt") as file:
        assert set(file.keys()) == {"best/critic.0.weight", "best/deep.name/with.slash", "history"}
    model, optimisers = trained(1)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found, best, history = checkpoint.load(tmp_path / CURRENT, model, optimisers)
    assert (found, history) == (progress(2), HISTORY)
    assert best.keys() == BEST.keys()
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in before.items())


# --- records ---


@pytest.fixture
def resumed(tmp_path):
    """Return a history that goes on from step 20 of one that was killed at step 40."""
    first = History(tmp_path / "deep/history.jsonl", "", tmp_path / "events", 0)
    for step in (0, 20, 40):
        first.record("train", step, {"loss": 5.0 - step})
    kept = "".join(first.flush().splitlines(keepends=True)[:2])
    first.close()
    return History(tmp_path / "deep/history.jsonl", kept, tmp_path / "events", 21)


def test_a_resumed_history_has_each_step_once_on_disk_and_in_what_it_gives(tmp_path, resumed):
    resumed.record("validation", 30, {"ppl": 2.5, "kl": 1})
    resumed.record("train", 40, {"loss": 1.0})
    expected = [
        {"kind": "train", "step": 0, "loss": 5.0},
        {"kind": "train", "step": 20, "loss": -15.0},
        {"kind": "validation", "step": 30, "ppl": 2.5, "kl": 1},
        {"kind": "train", "step": 40, "loss": 1.0},
    ]
    lines = resumed.flush()
    assert [json.loads(line) for line in lines.splitlines()] == expected
    assert (tmp_path / "deep/history.jsonl").read_text() == lines
    resumed.close()


def test_tensorboard_shows_the_same_numbers_by_kind(tmp_path):
    history = History(tmp_path / "history.jsonl", "", tmp_path / "events", 0)
    history.record("train", 20, {"loss": -15.0})
    history.record("train", 40, {"loss": 1.0})
    history.record("validation", 40, {"ppl": 2.5})
    history.close()
    shown = EventAccumulator(str(tmp_path / "events")).Reload()
    assert sorted(shown.Tags()["scalars"]) == ["train/loss", "validation/ppl"]
    assert [(event.step, event.value) for event in shown.Scalars("train/loss")] == [(20, -15.0), (40, 1.0)]
    assert [(event.step, event.value) for event in shown.Scalars("validation/ppl")] == [(40, 2.5)]


def test_tensorboard_forgets_the_steps_that_are_done_again(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(writer, "SummaryWriter", lambda folder, purge_step: asked.append((folder, purge_step)))
    History(tmp_path / "history.jsonl", "", tmp_path / "events", 21)
    assert asked == [(str(tmp_path / "events"), 21)]
