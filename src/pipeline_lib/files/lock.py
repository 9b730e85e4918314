"""The lock of a results folder: one run of the workflow at a time, from whatever working directory."""

import fcntl
import os
import socket
from pathlib import Path
from typing import IO

from pipeline_lib.errors import PipelineError

LOCK = ".lock"  # file in a results folder
_held: list[IO[str]] = []  # the kernel drops a lock with the process that holds it, or when the file is closed


def hold(results: Path) -> None:
    """Hold the lock of a results folder until this process ends.

    Raises:
        PipelineError: another run holds it; says which.
    """
    results.mkdir(parents=True, exist_ok=True)
    file = open(results / LOCK, "a+", encoding="utf-8")  # noqa: SIM115 - stays open
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise PipelineError(
            "another run of the workflow writes into this results folder",
            where=results,
            expected="one run at a time" + (f"; this one runs: {holder}" if holder else ""),
            remedy="wait until it has ended, or give this run another folder: --config results=<folder>",
        ) from None
    except OSError:  # a file system without locks
        file.close()
        return
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()} in {os.getcwd()}\n")
    file.flush()
    _held.append(file)
