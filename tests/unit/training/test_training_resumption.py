"""A training job that is killed, at any moment, ends with the weights of one that never was."""

import functools
import json
import pickle
import signal
from pathlib import Path

import pytest
import torch

from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.checksums import sha256
from pipeline_lib.files.formats import write_text
from pipeline_lib.models import weights
from pipeline_lib.training import checkpoint
from pipeline_lib.training.loop import Trainer
from pipeline_lib.training.state import claimed, forget_finished, run_folder
from unit.model_fixtures import make_dataset, make_model
from unit.training_jobs import SETTINGS, finish, has_reached, start, wait_for, without_speed, write_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def uninterrupted(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("uninterrupted")
    finish(start(corpus, out))
    return out


def stop(corpus: Path, out: Path) -> str:
    """Ask a job to stop once it has two checkpoints; gives what it said."""
    process = start(corpus, out)
    wait_for(functools.partial(has_reached, out, 40), process)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143
    return errors


def test_a_job_killed_at_several_points_ends_with_the_same_weights_bit_for_bit(corpus, tmp_path, uninterrupted):
    for kill_at in (0, 30, 70, 100):  # before the first step, then in mid-training
        process = start(corpus, tmp_path)
        wait_for(functools.partial(has_reached, tmp_path, kill_at), process)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (tmp_path / "model.safetensors").exists()
    finish(start(corpus, tmp_path))
    assert sha256(tmp_path / "model.safetensors") == sha256(uninterrupted / "model.safetensors")
    assert without_speed(tmp_path / "history.jsonl") == without_speed(uninterrupted / "history.jsonl")


def test_a_job_asked_to_stop_writes_a_checkpoint_and_goes_on_from_there(corpus, tmp_path, uninterrupted):
    assert "checkpoint written" in stop(corpus, tmp_path)
    finish(start(corpus, tmp_path))
    assert sha256(tmp_path / "model.safetensors") == sha256(uninterrupted / "model.safetensors")


def test_a_damaged_checkpoint_costs_the_steps_since_the_one_before_it(corpus, tmp_path, uninterrupted):
    stop(corpus, tmp_path)
    (state,) = (tmp_path / "state").iterdir()
    newest, previous = (state / name for name in (checkpoint.CURRENT, checkpoint.PREVIOUS))
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    assert checkpoint.newest(state) == previous
    finish(start(corpus, tmp_path))
    assert sha256(tmp_path / "model.safetensors") == sha256(uninterrupted / "model.safetensors")
    assert without_speed(tmp_path / "history.jsonl") == without_speed(uninterrupted / "history.jsonl")


def test_a_job_whose_checkpoints_are_both_damaged_says_so_and_begins_again(corpus, tmp_path, uninterrupted):
    stop(corpus, tmp_path)
    (state,) = (tmp_path / "state").iterdir()
    for name in (checkpoint.CURRENT, checkpoint.PREVIOUS):
        (state / name).write_bytes((state / name).read_bytes()[:-1])
    process = start(corpus, tmp_path)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    for said in (f"{checkpoint.CURRENT}: damaged", f"{checkpoint.PREVIOUS}: damaged", "again from the beginning"):
        assert said in errors
    assert sha256(tmp_path / "model.safetensors") == sha256(uninterrupted / "model.safetensors")
    assert without_speed(tmp_path / "history.jsonl") == without_speed(uninterrupted / "history.jsonl")


def test_a_damaged_checkpoint_never_takes_the_place_of_the_intact_one_before_it(tmp_path):
    """Killed before it writes its next one, a job finds the intact one again."""
    for name in (checkpoint.CURRENT, checkpoint.PREVIOUS):
        write_text(tmp_path / name, "weights")
    (tmp_path / checkpoint.CURRENT).write_text("damaged")
    kept = checkpoint.newest(tmp_path)
    checkpoint.forget_newer(tmp_path, kept)
    assert kept == checkpoint.newest(tmp_path) == tmp_path / checkpoint.PREVIOUS
    assert not list(tmp_path.glob(f"*{checkpoint.CURRENT}*"))
    checkpoint.forget_newer(tmp_path, tmp_path / checkpoint.CURRENT)
    assert kept.read_text() == "weights"


def test_a_second_job_does_not_train_into_the_folder_of_a_running_one(corpus, tmp_path, uninterrupted):
    first = start(corpus, tmp_path)
    wait_for(functools.partial(has_reached, tmp_path, 30), first)
    first.send_signal(signal.SIGSTOP)
    second = start(corpus, tmp_path)
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "another job is training this model" in errors
    assert "scancel" in errors
    first.send_signal(signal.SIGCONT)
    finish(first)
    assert sha256(tmp_path / "model.safetensors") == sha256(uninterrupted / "model.safetensors")


def test_a_job_killed_after_its_last_step_does_not_train_again(corpus, tmp_path, uninterrupted):
    summary = tmp_path / "summary.json"
    finish(start(corpus, tmp_path))
    before = json.loads(summary.read_text())
    for output in (tmp_path / "model.safetensors", summary):  # as Snakemake does where it has not seen a job end
        output.unlink()
    finish(start(corpus, tmp_path))
    after = json.loads(summary.read_text())
    assert after.pop("matrix_peak") > 0  # timed anew
    assert before | after == before  # the seconds spent training too
    assert sha256(tmp_path / "model.safetensors") == sha256(uninterrupted / "model.safetensors")


def test_systems_that_are_trained_alike_may_train_at_the_same_time(corpus, tmp_path):
    """Such as two that differ in their decoding alone."""
    (tmp_path / "state").mkdir()
    jobs = []
    for system in ("first", "second"):
        out = tmp_path / f"models/corpus/{system}/seed1"
        out.mkdir(parents=True)
        (out / "state").symlink_to(tmp_path / "state")
        jobs.append(start(corpus, out))
    for job in jobs:
        finish(job)
    first, second = (
        sha256(tmp_path / f"models/corpus/{system}/seed1/model.safetensors") for system in ("first", "second")
    )
    assert first == second


def test_of_a_job_that_is_done_only_its_best_weights_are_kept(corpus, tmp_path):
    finish(start(corpus, tmp_path))
    [state] = (tmp_path / "state").iterdir()
    assert not (state / "previous.safetensors").exists()
    left, model = (path.stat().st_size for path in (state / "checkpoint.safetensors", tmp_path / "model.safetensors"))
    assert left < model + (tmp_path / "history.jsonl").stat().st_size + 2_000


def test_the_state_of_a_finished_model_goes_when_another_is_trained_and_never_that_of_a_living_job(tmp_path):
    with claimed(tmp_path / "state/first", tmp_path / "first.safetensors"):
        (tmp_path / "first.safetensors").touch()
        with claimed(tmp_path / "state/second", tmp_path / "second.safetensors"):
            assert (tmp_path / "state/first").exists()
    with claimed(tmp_path / "state/third", tmp_path / "third.safetensors"):
        assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["second", "third"]


def test_processes_that_find_different_checkpoints_stop(tmp_path, monkeypatch):
    monkeypatch.setattr(Ranks, "all_equal", lambda ranks, step: False)
    model, data = make_model("cvae"), make_dataset(8)
    with pytest.raises(PipelineError, match="one process of the job found the checkpoint of step 0"):
        Trainer(model, data, data, SETTINGS, 1, tmp_path / "state", tmp_path / "events", Ranks())


def test_state_is_forgotten_where_its_model_is_there_and_kept_elsewhere(tmp_path):
    for name in ("finished", "killed"):
        with claimed(tmp_path / "state" / name, tmp_path / f"{name}.safetensors"):
            pass
    (tmp_path / "finished.safetensors").touch()
    (tmp_path / "state/damaged").mkdir()
    (tmp_path / "state/damaged/model").write_bytes(b"\xff\0")
    (tmp_path / "state/damaged/lock").touch()
    forget_finished(tmp_path / "state")
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["damaged", "killed"]


def test_a_run_that_differs_in_anything_keeps_its_state_elsewhere(tmp_path):
    (tmp_path / "examples").write_text("a")
    first = run_folder(tmp_path, "settings", "seed 1", files=[tmp_path / "examples"])
    assert run_folder(tmp_path, "settings", "seed 1", files=[tmp_path / "examples"]) == first
    assert run_folder(tmp_path, "settings", "seed 2", files=[tmp_path / "examples"]) != first
    (tmp_path / "examples").write_text("b")
    assert run_folder(tmp_path, "settings", "seed 1", files=[tmp_path / "examples"]) != first


def test_the_kept_weights_are_those_of_the_best_validation(uninterrupted):
    records = [json.loads(line) for line in (uninterrupted / "history.jsonl").read_text().splitlines()]
    best = min((r for r in records if r["kind"] == "validation"), key=lambda r: r["ppl_bound"])
    summary = json.loads((uninterrupted / "summary.json").read_text())
    assert (summary["best_step"], summary["best_value"]) == (best["step"], best["ppl_bound"])
    assert summary["selected_by"] == "ppl_bound"


def test_a_loss_that_is_not_finite_is_an_error_that_names_the_step(tmp_path):
    model, data = make_model("cvae"), make_dataset(20)
    with torch.no_grad():
        model.recognition.bias.fill_(torch.nan)
    trainer = Trainer(model, data, data, SETTINGS, 1, tmp_path / "state", tmp_path / "events", Ranks())
    with pytest.raises(PipelineError, match=r"the loss is nan .* at step 0"):
        trainer.run()


def test_a_pickled_checkpoint_is_refused_and_runs_nothing(tmp_path):
    class Payload:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    (tmp_path / "model.safetensors").write_bytes(pickle.dumps(Payload()))
    with pytest.raises(PipelineError, match="safetensors"):
        weights.load_tensors(tmp_path / "model.safetensors")
    assert not (tmp_path / "ran").exists()


def test_only_trained_parameters_are_in_the_optimiser(tmp_path):
    model, data = make_model("sepacvae"), make_dataset(8)
    trainer = Trainer(model, data, data, SETTINGS, 1, tmp_path / "state", tmp_path / "events", Ranks())
    [phase] = trainer.phases
    optimised = [id(p) for group in phase.optimiser.param_groups for p in group["params"]]
    assert sorted(optimised) == sorted(id(p) for p in model.parameters())
    assert id(model.embeddings) not in optimised


def test_a_checkpoint_that_does_not_fit_on_the_disk_is_an_error_that_names_it(tmp_path, monkeypatch):
    def full(*arguments: object) -> None:
        raise weights.SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(weights, "save_file", full)
    with pytest.raises(PipelineError, match="no space left") as error:
        weights.save_tensors(tmp_path / "checkpoint.safetensors", {"a": torch.zeros(3)}, {})
    assert "checkpoint.safetensors" in error.value.where
    assert list(tmp_path.iterdir()) == []
