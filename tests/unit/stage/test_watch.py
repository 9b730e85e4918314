"""A job ends with what started it, from its first import on."""

import ast
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
WAITING = """
import time
from pathlib import Path
from pipeline_lib.stage.cli import run
from pipeline_lib.files.atomic import atomic

def main(out: Path) -> None:
    with atomic(out):
        out.with_suffix(".started").touch()
        time.sleep(30)

if __name__ == "__main__":
    run(main)
"""

IMPORTING = """
from pathlib import Path
import pipeline_lib.errors
Path("out.started").touch()
import time
time.sleep(30)  # in place of a slow library
"""


def job_whose_scheduler_is_killed(folder: Path, host: str, code: str) -> subprocess.Popen[bytes]:
    """Start a job in ``folder``, and kill what it takes for its scheduler once it says that it has come so far."""
    (folder / "stage.py").write_text(code)
    with subprocess.Popen(["sleep", "30"]) as scheduler:
        environment = os.environ | {"PIPELINE_SCHEDULER": f"{host}:{scheduler.pid}"}
        job = subprocess.Popen([sys.executable, "stage.py", "--out", "out"], cwd=folder, env=environment)
        until = time.monotonic() + 20
        while not (folder / "out.started").exists() and time.monotonic() < until:
            time.sleep(0.01)
        scheduler.kill()
    return job


@pytest.mark.parametrize(("host", "stops"), [(socket.gethostname(), True), ("another-node", False)])
def test_a_job_ends_with_the_scheduler_that_started_it_and_leaves_nothing(tmp_path, host, stops):
    job = job_whose_scheduler_is_killed(tmp_path, host, WAITING)
    try:
        assert job.wait(10 if stops else 2) == 128 + signal.SIGTERM
        assert {path.name for path in tmp_path.iterdir()} == {"stage.py", "out.started"}
    except subprocess.TimeoutExpired:
        assert not stops
    finally:
        job.kill()
        job.wait()


def test_a_job_that_is_still_importing_ends_with_its_scheduler(tmp_path):
    job = job_whose_scheduler_is_killed(tmp_path, socket.gethostname(), IMPORTING)
    try:
        assert job.wait(10) == -signal.SIGTERM
    finally:
        job.kill()
        job.wait()


@pytest.mark.parametrize("script", sorted((ROOT / "workflow/scripts").glob("*.py")), ids=lambda script: script.stem)
def test_no_script_imports_anything_slow_before_the_watch(script):
    """Arrow is a fraction of a second; torch takes seconds on a loaded machine."""
    for node in ast.parse(script.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= sys.stdlib_module_names | {"pyarrow"}
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module.startswith("pipeline_lib"):
                return
            assert node.module in sys.stdlib_module_names
    pytest.fail("the script imports nothing of the package")
