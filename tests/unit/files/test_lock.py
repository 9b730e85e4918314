"""The lock of a results folder."""

import subprocess
import sys

import pytest

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.lock import hold

HOLD = """
import pathlib, sys, time
from pipeline_lib.files.lock import hold
hold(pathlib.Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_run_is_refused_with_the_name_of_the_first_until_that_has_ended(tmp_path):
    first = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "results")], stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout
        assert first.stdout.readline() == "held\n"
        with pytest.raises(PipelineError) as refused:
            hold(tmp_path / "results")
        assert f"process {first.pid} on" in refused.value.expected
        assert "--config results=" in refused.value.remedy
    finally:
        first.kill()
        first.wait()
    hold(tmp_path / "results")  # the kernel gave it back


def test_two_folders_have_two_locks(tmp_path):
    hold(tmp_path / "a")
    hold(tmp_path / "b")
