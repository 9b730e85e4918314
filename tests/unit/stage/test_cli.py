"""A stage's command line follows from the parameters of its ``main``."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_lib.config.clustering import Clustering

SCRIPT = '''"""What the stage does."""
import json
from pathlib import Path
from pipeline_lib.stage.cli import run
from pipeline_lib.config.clustering import Clustering
from pipeline_lib.errors import PipelineError

def main(in_file: Path, many: list[Path], n: int, rate: float, settings: Clustering, note: str | None = None) -> None:
    if n < 0:
        raise PipelineError("too few", where=in_file, expected="n >= 0", remedy="raise n")
    if n == 13:
        raise ZeroDivisionError
    if n == 28:
        with open("/dev/full", "w") as full:  # a disk on which there is no room
            full.write("a line of a history")
    if n == 64:
        raise MemoryError("Unable to allocate 64. GiB for an array")
    if n == 65:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: 65 B.")
    if n == 66:
        raise RuntimeError("CUDA out of memory. Tried to allocate 66 GiB. GPU 0 has a total capacity of 6 GiB")
    if n == 67:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    kinds = [type(x).__name__ for x in (in_file, many[0] if many else None, n, rate, settings, note)]
    print(json.dumps([str(in_file), [str(m) for m in many], n, rate, settings.groups, note, kinds]))

if __name__ == "__main__":
    run(main)
'''

STOPPED = """
import os, signal
from pathlib import Path
from pipeline_lib.stage.cli import run
from pipeline_lib.files.atomic import atomic

def main(out: Path) -> None:
    with atomic(out) as temporary:
        temporary.write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGTERM)

if __name__ == "__main__":
    run(main)
"""

NAMED = """
from pathlib import Path
from pipeline_lib.stage.cli import run

def main(files: dict[str, Path]) -> None:
    print({name: type(path).__name__ + " " + str(path) for name, path in files.items()})

if __name__ == "__main__":
    run(main)
"""


@pytest.fixture
def stage(tmp_path):
    script = tmp_path / "stage.py"
    script.write_text(SCRIPT)

    def call(**changes: list[str] | None) -> subprocess.CompletedProcess[str]:
        options: dict[str, list[str] | None] = {
            "in_file": ["a b.txt"],
            "many": ["one", "two"],
            "n": ["3"],
            "rate": ["1e-3"],
            "settings": [Clustering(groups=5).model_dump_json()],
        }
        words = []
        for name, values in (options | changes).items():
            if values is not None:
                words += ["--" + name.replace("_", "-"), *values]
        return subprocess.run([sys.executable, str(script), *words], capture_output=True, text=True)

    return call


def test_each_option_arrives_with_the_type_of_its_annotation(stage):
    done = stage(note=["free text"])
    assert done.returncode == 0, done.stderr
    kinds = [type(Path()).__name__, type(Path()).__name__, "int", "float", "Clustering", "str"]
    assert json.loads(done.stdout) == ["a b.txt", ["one", "two"], 3, 0.001, 5, "free text", kinds]


def test_a_list_may_be_empty_and_a_default_may_be_left_out(stage):
    done = stage(many=[])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[1] == []
    assert json.loads(done.stdout)[5] is None


def test_a_fault_that_the_user_can_mend_is_printed_without_a_traceback(stage):
    done = stage(n=["-1"])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "Error: too few",
        "  where:    a b.txt",
        "  expected: n >= 0",
        "  remedy:   raise n",
    ]


def test_a_fault_of_the_program_keeps_its_traceback(stage):
    done = stage(n=["13"])
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_a_disk_that_fills_up_anywhere_is_an_error_without_a_traceback(stage):
    done = stage(n=["28"])
    assert done.returncode == 1
    assert done.stderr.startswith("Error: no space left on the disk")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("n", ["64", "65", "66"], ids=["NumPy or Arrow", "torch", "torch on a GPU"])
def test_memory_that_runs_out_is_an_error_that_names_what_to_make_smaller(stage, n):
    done = stage(n=[n])
    assert done.returncode == 1
    assert done.stderr.startswith("Error: no memory left: ")
    assert all(word in done.stderr for word in (f"{n}", "`network:`", "`training.batch_size`", "remedy:"))
    assert "Traceback" not in done.stderr


def test_another_error_of_torch_keeps_its_traceback(stage):
    done = stage(n=["67"])
    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"in_file": None}, "--in-file"),
        ({"n": ["three"]}, "--n: invalid int value: 'three'"),
        ({"unheard_of": ["1"]}, "--unheard-of"),
        ({"settings": ["{"]}, "--settings"),
        ({"settings": ['{"grups": 8}']}, "grups"),
        ({"settings": ['{"groups": 0}']}, "groups"),
    ],
)
def test_a_wrong_option_is_named_and_ends_with_status_two(stage, change, named):
    done = stage(**change)
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stage_that_is_asked_to_stop_removes_its_temporary_files(tmp_path):
    script = tmp_path / "stage.py"
    script.write_text(STOPPED)
    out = tmp_path / "out" / "result"
    done = subprocess.run([sys.executable, str(script), "--out", str(out)], capture_output=True, text=True)
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert list(out.parent.iterdir()) == []


def test_help_says_what_the_stage_does(stage):
    done = stage(help=[])
    assert done.returncode == 0
    assert "What the stage does." in done.stdout


@pytest.mark.parametrize(
    ("given", "expected"),
    [([], {}), (["group=a b/c=d.parquet", "user=u"], {"group": "PosixPath a b/c=d.parquet", "user": "PosixPath u"})],
)
def test_named_files_are_given_as_name_and_path(tmp_path, given, expected):
    (tmp_path / "named.py").write_text(NAMED)
    command = [sys.executable, str(tmp_path / "named.py"), "--files", *given]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"{expected}\n"
    for wrong in ("a.parquet", "=a.parquet", "group="):
        refused = subprocess.run([*command, wrong], capture_output=True, text=True)
        assert refused.returncode == 2
        assert f"{wrong!r} is not of the form name=value" in refused.stderr
