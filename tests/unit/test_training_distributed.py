"""A training job of several processes: the curve of one, whatever their number, and checkpoints that move between."""

import functools
import json
import signal
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch.testing import assert_close

from unit.training_jobs import SETTINGS, finish, has_reached, start, wait_for, without_speed, write_corpus

# 40 pairs in batches of 3: shares of 2 and 1, and at the end of an epoch a batch of one pair for two processes
UNEVEN = SETTINGS.model_copy(update={"batch_size": 3, "epochs": 6})


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def alone(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone")
    finish(start(corpus, out, UNEVEN))
    return out


def assert_same_training(found: Path, expected: Path) -> None:
    """Every record and every weight agrees to float tolerance."""
    ours, theirs = without_speed(found / "history.jsonl"), without_speed(expected / "history.jsonl")
    for one, other in zip(ours, theirs, strict=True):
        assert one.pop("kind") == other.pop("kind")
        assert one == pytest.approx(other, rel=2e-4, abs=1e-5)
    assert_close(
        load_file(found / "model.safetensors"), load_file(expected / "model.safetensors"), rtol=1e-3, atol=1e-4
    )


def test_two_processes_follow_the_loss_curve_of_one_with_the_same_batches(corpus, tmp_path, alone):
    finish(start(corpus, tmp_path, UNEVEN, processes=2))
    assert_same_training(tmp_path, alone)
    assert json.loads((tmp_path / "summary.json").read_text())["processes"] == 2


def test_what_the_released_code_does_and_random_winners_are_shared_as_exactly(corpus, tmp_path):
    short = UNEVEN.model_copy(update={"epochs": 2})
    for name, options in {"faithful": {"faithful": True}, "random": {"winner": "random", "classifier": False}}.items():
        for processes in (1, 2):
            finish(start(corpus, tmp_path / f"{name}{processes}", short, options, processes))
        assert_same_training(tmp_path / f"{name}2", tmp_path / f"{name}1")


def test_a_checkpoint_moves_from_two_processes_to_one_to_three(corpus, tmp_path, alone):
    for processes, stop_at in ((2, 20), (1, 40)):
        process = start(corpus, tmp_path, UNEVEN, processes=processes)
        wait_for(functools.partial(has_reached, tmp_path, stop_at), process)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        assert process.returncode != 0
        assert "checkpoint written" in errors
    finish(start(corpus, tmp_path, UNEVEN, processes=3))
    assert_same_training(tmp_path, alone)
