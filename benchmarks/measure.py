"""What the benchmarks share: a command measured in a process of its own, and tables in Markdown."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

REPOSITORY = Path(__file__).resolve().parent.parent
_PEAK_UNIT = 1 << 20 if sys.platform == "darwin" else 1 << 10  # ru_maxrss is in bytes or in KiB


class Run(NamedTuple):
    """One finished process."""

    seconds: float  # wall time, start of the interpreter included
    processor: float  # seconds of all its threads: what a busy machine hardly changes
    peak: float  # MiB, with the processes that it starts; without /proc: alone, and at least what this one held
    output: str
    messages: str  # what it wrote to its standard error


def run(*arguments: str | Path, folder: Path | None = None) -> Run:
    """Run a command to its end in ``folder``; where it fails, so does the benchmark, with the command's own words."""
    command = [str(argument) for argument in arguments]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, cwd=folder, text=True)
        assert process.stdout is not None
        family = Family(process.pid)
        with process.stdout, family:
            output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)  # the usage of this child alone, which Popen.wait does not give
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        messages = errors.read()
        if process.returncode:
            raise SystemExit(f"exit status {process.returncode}: {' '.join(command)}\n{messages[-4000:]}")
    return Run(
        seconds, usage.ru_utime + usage.ru_stime, max(usage.ru_maxrss / _PEAK_UNIT, family.peak), output, messages
    )


class Family(threading.Thread):
    """Watches the memory of a process and its descendants, while used as a context manager.

    The peaks of those that live at the same time are added, pages that they share counted for each: a sum that errs
    upwards. What a process does in its last twentieth of a second may be missed.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0.0  # MiB
        self._first, self._over = psutil.Process(pid), threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.05):
            with suppress(psutil.NoSuchProcess):
                family = [self._first, *self._first.children(recursive=True)]
                self.peak = max(self.peak, sum(_peak(process.pid) for process in family))

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self.join()


def _peak(pid: int) -> float:
    """MiB that a process has held at most since its program started; 0 if it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            return next((int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM:")), 0.0)
    except OSError:
        return 0.0


def python(*arguments: str | Path) -> Run:
    """`run` of this interpreter."""
    return run(sys.executable, *arguments)


def head(*columns: str) -> None:
    """Begin a table: its first column holds names, the others values."""
    row(*columns)
    print("| :-- " + "| --: " * (len(columns) - 1) + "|", flush=True)


def row(*cells: str) -> None:
    """One row, shown as soon as it is known."""
    print("| " + " | ".join(cells) + " |", flush=True)
