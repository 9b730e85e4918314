"""What the benchmarks share: a command measured in a process of its own, and tables in Markdown."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent
_PEAK_UNIT = 1 << 20 if sys.platform == "darwin" else 1 << 10  # ru_maxrss is in bytes or in KiB


class Run(NamedTuple):
    """One finished process."""

    seconds: float  # wall time, start of the interpreter included
    processor: float  # seconds of all its threads: what a busy machine hardly changes
    peak: float  # MiB; at the least what this process itself held when it started the other
    output: str
    messages: str  # what it wrote to its standard error


def run(*arguments: str | Path, folder: Path | None = None) -> Run:
    """Run a command to its end in ``folder``; where it fails, so does the benchmark, with the command's own words."""
    command = [str(argument) for argument in arguments]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, cwd=folder, text=True)
        assert process.stdout is not None
        with process.stdout:
            output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)  # the peak of this child alone, which Popen.wait does not give
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        messages = errors.read()
        if process.returncode:
            raise SystemExit(f"exit status {process.returncode}: {' '.join(command)}\n{messages[-4000:]}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / _PEAK_UNIT, output, messages)


def python(*arguments: str | Path) -> Run:
    """`run` of this interpreter."""
    return run(sys.executable, *arguments)


def head(*columns: str) -> None:
    """Begin a table: its first column holds names, the others figures."""
    row(*columns)
    print("| :-- " + "| --: " * (len(columns) - 1) + "|", flush=True)


def row(*cells: str) -> None:
    """One row, shown as soon as it is known."""
    print("| " + " | ".join(cells) + " |", flush=True)
