"""The folder in which a training job keeps its state between attempts."""

import fcntl
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.checksums import sha256

_MODEL = "model"  # file that names what is trained in its folder
_LOCK = "lock"


def run_folder(root: Path, *parts: str, files: list[Path]) -> Path:
    """Return the folder where a run keeps its state, named by a hash of all that defines the run.

    Snakemake deletes declared outputs before it starts a job again, so the state is not one; and since the name
    changes with every setting, input and line of code, a changed run can never pick up old weights.
    """
    digest = hashlib.sha256("\n".join([*parts, version("torch"), *map(sha256, files)]).encode())
    return root / digest.hexdigest()[:16]


@contextmanager
def claimed(folder: Path, model: Path) -> Iterator[None]:
    """Ensure that, within, no other job trains ``model`` in ``folder``.

    The kernel drops the lock with the process that holds it.

    Raises:
        PipelineError: another job does, say one that outlived the workflow that started it.
    """
    forget_finished(folder.parent)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MODEL).write_text(str(model), encoding="utf-8")
    (folder / _LOCK).touch()
    with _locked(folder) as alone:
        if not alone:
            raise PipelineError(
                "another job is training this model",
                where=folder,
                expected="one job at a time",
                remedy="wait until it has ended, or end it (on a cluster: scancel), then run the same command again",
            )
        yield


def forget_finished(root: Path) -> None:
    """Remove the folders below ``root`` whose model is there and whose job has ended.

    It is for the end of a run of the workflow that went well, and for the beginning of another model's training, since
    not every run has such an end (one with a failed system, a workflow within another). Not for the end of the job
    itself: killed after that, and before the workflow has seen it end, it runs again.
    """
    for note in root.glob(f"*/{_MODEL}"):
        # a folder without a lock has just been made, or is just being removed
        with suppress(FileNotFoundError), _locked(note.parent) as ended:
            if ended and Path(note.read_text(encoding="utf-8", errors="replace")).is_file():
                shutil.rmtree(note.parent)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Hold the lock of a state folder, if no other process does; gives whether."""
    with open(folder / _LOCK, "rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
