"""The choice of GPUs for a job: parallel jobs on one machine spread over them.

A job holds a lock on a file of each GPU that it has taken. The kernel lets go of it when the job ends, however it
ends, so there are no stale locks. Where there are more jobs than GPUs, the GPUs with the fewest jobs are shared; how
many jobs run at once is Snakemake's business (`--resources gpu=N`). A GPU goes by its UUID, so that what a scheduler
allots through CUDA_VISIBLE_DEVICES and what it leaves open are treated alike.
"""

import fcntl
import os
import tempfile
from itertools import count
from pathlib import Path

from pipeline_lib.errors import PipelineError

_held: list[int] = []  # file descriptors: open, and so locked, until the process ends


def take(uuids: list[str], number: int, folder: Path | None = None) -> list[int]:
    """Take the ``number`` GPUs with the fewest jobs, for the life of this process and of what it becomes.

    Args:
        uuids: UUIDs of the visible GPUs.
        folder: where the locks lie, by default one of this user's in the folder for temporary files.
    Returns:
        Positions in ``uuids``, rising.
    Raises:
        PipelineError: there are fewer than ``number``, or the folder is another user's.
    """
    if number > len(uuids):
        raise PipelineError(
            f"{number} GPUs are wanted, {len(uuids)} can be seen",
            where="resources: gpu= of the training job",
            expected=f"at most {len(uuids)}",
            remedy="lower it (`--set-resources train_model:gpu=…`), or ask the scheduler for more",
        )
    folder = _folder() if folder is None else folder
    with open(folder / "choosing", "wb") as choosing:  # one job at a time counts and chooses
        fcntl.flock(choosing, fcntl.LOCK_EX)
        jobs = [sum(map(_is_locked, folder.glob(f"{uuid}.*"))) for uuid in uuids]
        chosen = sorted(sorted(range(len(uuids)), key=jobs.__getitem__)[:number])
        for position in chosen:
            _hold(next(path for share in count() if not _is_locked(path := folder / f"{uuids[position]}.{share}")))
    return chosen


def _is_locked(path: Path) -> bool:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _hold(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    os.set_inheritable(handle, True)  # a launcher becomes torchrun
    _held.append(handle)


def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"pipeline_lib-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PipelineError(
            "the folder for GPU locks belongs to another user",
            where=folder,
            expected="a folder of your own",
            remedy="set TMPDIR to another folder",
        )
    return folder
