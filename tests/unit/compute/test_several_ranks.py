"""A training job of several processes: the curve of one, whatever their number, and checkpoints that move between."""

import functools
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file
from torch.testing import assert_close

from unit import adversarial
from unit.model_fixtures import RELEASED
from unit.training_jobs import SETTINGS, finish, has_reached, start, wait_for, without_speed, write_corpus

# 40 examples in batches of 3: shares of 2 and 1, and at the end of an epoch a batch of one example for two processes
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
    for name, options in {"released": RELEASED, "random": {"winner": "random", "classifier": False}}.items():
        for processes in (1, 2):
            finish(start(corpus, tmp_path / f"{name}{processes}", short, options, processes))
        assert_same_training(tmp_path / f"{name}2", tmp_path / f"{name}1")


def test_three_adversarial_phases_in_two_processes_follow_the_curve_of_one(corpus, tmp_path):
    settings = adversarial.SETTINGS.model_copy(update={"batch_size": 3, "max_steps": 50})
    for processes in (1, 2):
        finish(start(corpus, tmp_path / str(processes), settings, processes=processes, model=adversarial.ADVERSARIAL))
    assert_same_training(tmp_path / "2", tmp_path / "1")


_AGREEMENT = """
import sys
import torch
from pipeline_lib.errors import PipelineError
import torch
from pipeline_lib.errors import PipelineError
from pipeline_lib.compute.ranks import Ranks

ranks = Ranks()
try:
    with ranks.joined(torch.device(sys.argv[1 + ranks.rank])):
        print(ranks.all_equal(7), ranks.all_equal(ranks.rank), ranks.share(4).rows.tolist())
except PipelineError as error:
    print(error)
"""

_AVERAGES = """
import torch
from pipeline_lib.compute.ranks import Ranks

ranks = Ranks()
own = [torch.full((2, 3), 1.0 + 2 * ranks.rank), torch.arange(4.0) * ranks.rank, torch.tensor(5.0)]
with ranks.joined(torch.device("cpu")):
    ranks.average(own)
print([tensor.flatten().tolist() for tensor in own])
"""

_TRAINED = """
import hashlib
import sys
from pathlib import Path
import torch
from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.training.loop import Trainer
from unit import adversarial
from unit.model_fixtures import EMBEDDING, NETWORK, VOCABULARY, SmallUnits, make_dataset

ranks, data = Ranks(), make_dataset(40)
torch.manual_seed(1)
units = SmallUnits(torch.randn(VOCABULARY, EMBEDDING).numpy())
model = adversarial.Adversarial(units, NETWORK, adversarial.Adversarial.Options())
settings = adversarial.SETTINGS.model_copy(update={"batch_size": 5, "max_steps": 12})
folders = Path(sys.argv[1]) / "state", Path(sys.argv[1]) / "events"
with ranks.joined(torch.device("cpu")):
    Trainer(model, data, data, settings, 1, *folders, ranks).run()
print(hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())
"""


def said(program: str, *arguments: str) -> list[str]:
    """What two processes print that run one program."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-c", program, *arguments]
    started = [
        subprocess.Popen(
            command, env=os.environ | place | {"RANK": rank, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True
        )
        for rank in "01"
    ]
    return [process.communicate(timeout=120)[0] for process in started]


def test_processes_know_whether_they_have_the_same_number() -> None:
    assert said(_AGREEMENT, "cpu", "cpu") == ["True False [0, 2]\n", "True False [1, 3]\n"]


def test_a_process_without_a_gpu_beside_one_that_has_one_is_an_error_and_no_wait() -> None:
    first, second = said(_AGREEMENT, "cuda", "cpu")
    assert "computes on cuda, another one of the job does not" in first
    assert "computes on cpu, another one of the job does not" in second


def test_the_mean_of_several_tensors_is_taken_over_the_processes() -> None:
    expected = "[[2.0, 2.0, 2.0, 2.0, 2.0, 2.0], [0.0, 0.5, 1.0, 1.5], [5.0]]\n"
    assert said(_AVERAGES) == [expected, expected]


def test_every_process_ends_with_the_same_parameters_bit_for_bit(tmp_path) -> None:
    first, second = said(_TRAINED, str(tmp_path))
    assert len(first) == 65
    assert first == second


def test_processes_end_with_the_torchrun_that_started_them(corpus, tmp_path):
    job = start(corpus, tmp_path, UNEVEN.model_copy(update={"epochs": 100_000}), processes=2)
    wait_for(functools.partial(has_reached, tmp_path, 20), job)
    workers = [each for each in psutil.Process(job.pid).children(recursive=True) if "RANK" in each.environ()]
    assert len(workers) == 2
    job.kill()
    job.communicate()
    assert not psutil.wait_procs(workers, timeout=20)[1]


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
