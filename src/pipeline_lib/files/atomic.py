"""Writing a file whole or not at all: to a temporary name, flushed, renamed, with its checksum beside it.

Every write goes to a temporary name in the same folder, is flushed to disk and renamed.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from pipeline_lib.files.checksums import checksum_file, is_local_copy, keeping, sha256
from pipeline_lib.files.disk import disk_full, is_disk_full
from pipeline_lib.files.provenance import current_job


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on success `publish` it, on any error remove it.

    What killed writers of ``path`` left behind is removed first.

    Raises:
        PipelineError: the disk is full; earlier contents of ``path`` are untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    with suppress(OSError):  # a file system without locks
        fcntl.flock(handle, fcntl.LOCK_EX)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp made it private
        publish(temporary, path)
    except OSError as error:
        if is_disk_full(error):
            raise disk_full(path, f"room for {path.name}; earlier results are untouched") from error
        raise
    finally:
        os.close(handle)
        with suppress(FileNotFoundError):
            temporary.unlink()


def publish(temporary: Path, path: Path) -> None:
    """Flush ``temporary``, a finished file beside ``path``, to disk and rename it, with its checksum and its record.

    The old checksum goes before the file changes and the new one comes after, so that no moment of a crash leaves a
    wrong checksum beside a right file: at worst there is none.
    """
    with open(temporary, "rb+") as file:
        os.fsync(file.fileno())
    if is_local_copy(path):
        os.replace(temporary, path)
        return
    kept, job = checksum_file(path), current_job()
    fresh = kept.with_name(kept.name + ".tmp")
    try:
        with open(fresh, "wb") as file:
            file.write(keeping(path, sha256(temporary), job.record(path) if job else ""))
            file.flush()
            os.fsync(file.fileno())
        kept.unlink(missing_ok=True)
        os.replace(temporary, path)
        os.replace(fresh, kept)
    finally:
        fresh.unlink(missing_ok=True)


def keep(path: Path, target: Path) -> None:
    """Let ``target``, beside ``path``, hold what ``path`` does now, with its checksum, whatever becomes of ``path``."""
    kept, second = checksum_file(path), target.with_name(f".{target.name}.tmp")
    fresh = checksum_file(target).with_name(checksum_file(target).name + ".tmp")
    line = kept.read_text(encoding="utf-8") if kept.exists() else ""
    line = line.replace(f"  {path.name}\n", f"  {target.name}\n", 1)
    fresh.write_text(line, encoding="utf-8")
    second.unlink(missing_ok=True)
    try:
        os.link(path, second)
    except OSError:  # a file system without links
        shutil.copyfile(path, second)
    checksum_file(target).unlink(missing_ok=True)  # the order of `publish`, for the same reason
    os.replace(second, target)
    if line:
        os.replace(fresh, checksum_file(target))
    fresh.unlink(missing_ok=True)


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files of ``path`` whose writers are gone: a living one holds a lock on its own."""
    for left in path.parent.glob(f".{escape(path.name)}.{'?' * 8}.tmp"):
        with suppress(OSError), open(left, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
