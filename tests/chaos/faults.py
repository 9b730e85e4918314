"""What can happen to files and processes while nobody looks."""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

DAMAGES = ("truncated", "bit flipped", "block zeroed")
BLOCK = 512  # bytes


def damage(path: Path, kind: str, rng: random.Random, *, keep_time: bool) -> str:
    """Damage a file in place, never into what it was; ``keep_time``: as a disk does it, which tells nobody.

    Returns:
        What was done.
    """
    content, stat = path.read_bytes(), path.stat()
    if kind == "block zeroed" and any(content):
        middle = rng.choice([position for position, byte in enumerate(content) if byte])
        start, end = max(0, middle - BLOCK // 2), min(middle + BLOCK // 2, len(content))
        changed, told = content[:start] + bytes(end - start) + content[end:], f"bytes {start} to {end}"
    elif kind == "truncated":
        end = rng.randrange(len(content))
        changed, told = content[:end], f"cut to {end} of {len(content)} bytes"
    else:
        bit = rng.randrange(8 * len(content))
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        changed, told = bytes(flipped), f"bit {bit % 8} of byte {bit // 8}"
    path.write_bytes(changed)
    if keep_time:
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return told + (", time kept" if keep_time else "")


def move_clock(path: Path, rng: random.Random) -> str:
    """Set a file's time up to a year into the past or the future; says by how much."""
    days = rng.choice([-365, -30, -1, 1, 30, 365])
    os.utime(path, (time.time() + days * 86_400,) * 2)
    return f"{days:+d} days"


def jobs_of(scheduler: int) -> list[psutil.Process]:
    """Running stages below a Snakemake process: the interpreter of each, not the shell around it."""
    found = []
    with suppress(psutil.NoSuchProcess):
        for process in psutil.Process(scheduler).children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if "python" in process.name() and stage_of(process):
                    found.append(process)
    return found


def stage_of(process: psutil.Process) -> str:
    """Name of the script that a process runs; empty if none of the workflow's."""
    scripts = [Path(word) for word in process.cmdline() if word.endswith(".py") and Path(word).parent.name == "scripts"]
    return scripts[0].stem if scripts else ""


def kill_one_job(scheduler: int, rng: random.Random) -> str:
    """SIGKILL one running stage, as the kernel does when memory ends; says which, empty if none was running."""
    jobs = jobs_of(scheduler)
    if not jobs:
        return ""
    job = rng.choice(jobs)
    try:
        stage = stage_of(job)
        job.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return ""
    return stage


def files_below(folder: Path) -> Iterator[Path]:
    """Files with content below a folder, in order of their paths."""
    yield from sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
