"""Jobs side by side on one machine: which GPUs each takes, and what becomes of a dead job's."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline_lib.compute import gpus
from pipeline_lib.compute.launch import processes_per_node
from pipeline_lib.errors import PipelineError

_JOB = """
import sys
from pathlib import Path
from pipeline_lib.compute.gpus import take
print(*take(sys.argv[3:], int(sys.argv[2]), Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


@contextmanager
def job(folder: Path, number: int, uuids: str) -> Iterator[tuple[list[int], subprocess.Popen[str]]]:
    """A process that holds GPUs until its input ends."""
    command = [sys.executable, "-c", _JOB, str(folder), str(number), *uuids]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield [int(word) for word in process.stdout.readline().split()], process
        process.kill()


def test_jobs_side_by_side_spread_over_the_gpus_and_share_the_least_taken(tmp_path):
    with (
        job(tmp_path, 1, "ab") as (first, _),
        job(tmp_path, 1, "ab") as (second, _),
        job(tmp_path, 1, "ab") as (third, _),
        job(tmp_path, 1, "ab") as (fourth, _),
    ):
        assert [first, second, third, fourth] == [[0], [1], [0], [1]]


def test_a_gpu_that_is_idle_goes_before_one_with_a_job_whatever_has_ended_before(tmp_path):
    with job(tmp_path, 1, "ab"), job(tmp_path, 1, "ab") as (second, on_b), job(tmp_path, 1, "ab") as (third, _):
        assert (second, third) == ([1], [0])
        on_b.kill()
        on_b.wait()
        with job(tmp_path, 1, "ab") as (next_to_second, on_b):
            assert next_to_second == [1]
    # a.0 has ended and a.1 goes on: a is not the idle one
    with job(tmp_path, 1, "a") as (_, first), job(tmp_path, 1, "a"):
        first.kill()
        first.wait()
        with job(tmp_path, 1, "ab") as (taken, _):
            assert taken == [1]


def test_a_job_of_several_gpus_gets_different_ones(tmp_path):
    with job(tmp_path, 1, "abc") as (one, _), job(tmp_path, 3, "abc") as (three, _):
        assert (one, three) == ([0], [0, 1, 2])


def test_a_gpu_is_known_by_its_uuid_whatever_its_place_among_those_seen(tmp_path):
    with (
        job(tmp_path, 1, "ab") as (first, _),
        job(tmp_path, 1, "ab"[:1]) as (second, _),
        job(tmp_path, 1, "ba") as (
            third,
            _,
        ),
    ):
        assert (first, second, third) == ([0], [0], [0])  # a, a again since nothing else is seen, then b


def test_the_gpu_of_a_killed_job_is_free_at_once(tmp_path):
    with job(tmp_path, 1, "ab") as (first, process):
        process.send_signal(signal.SIGKILL)
        process.wait()
        with job(tmp_path, 1, "ab") as (second, _):
            assert first == second == [0]


def test_a_lock_stays_with_what_the_process_becomes(tmp_path):
    becoming = _JOB.replace("sys.stdin.read()", "import os; os.execvp('cat', ['cat'])")
    command = [sys.executable, "-c", becoming, str(tmp_path), "1", "a", "b"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        while os.readlink(f"/proc/{process.pid}/exe").rsplit("/", 1)[-1].startswith("python"):
            pass
        with job(tmp_path, 1, "ab") as (other, _):
            assert other == [1]
        process.kill()


def test_more_gpus_than_there_are_is_an_error(tmp_path):
    with pytest.raises(PipelineError, match="3 GPUs are wanted, 2 can be seen"):
        gpus.take(["a", "b"], 3, tmp_path)


def test_gpus_divide_among_nodes():
    wanted = {(0, 1): 1, (0, 2): 1, (1, 1): 1, (4, 1): 4, (4, 2): 2, (2, 2): 1}
    assert {(gpu, nodes): processes_per_node(gpu, nodes) for gpu, nodes in wanted} == wanted
    for gpu, nodes, enough in ((3, 2, 4), (1, 2, 2)):
        with pytest.raises(PipelineError, match=f"{gpu} GPUs do not divide among {nodes} nodes") as error:
            processes_per_node(gpu, nodes)
        assert f"ask for {enough}," in error.value.remedy
