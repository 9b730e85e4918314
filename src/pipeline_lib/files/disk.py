"""The errors of a disk that is full, or that takes no file."""

import errno
import os
import sys
import tempfile
from pathlib import Path

from pipeline_lib.errors import PipelineError

_ROOM = 1 << 16  # bytes that a log should find free


def is_disk_full(error: OSError) -> bool:
    """Tell whether a disk or a user's quota is used up; Arrow's own errors say so in their message alone."""
    full = (errno.ENOSPC, errno.EDQUOT)
    return error.errno in full or any(os.strerror(code) in str(error) for code in full)


def report_full_disk(folder: Path) -> None:
    """Print the error of a full disk if that of ``folder`` is: a stage's log, on the same disk, may have lost it."""
    if _is_full(folder):
        print(disk_full(folder, "room for a log"), file=sys.stderr)


def check_temporary_folder() -> None:
    """Check that there is room for what Snakemake writes when it chooses its next jobs.

    It is for the beginning and the end of a run: without room, Snakemake stops with a traceback, whoever is to blame.

    Raises:
        PipelineError: the temporary folder is full.
    """
    variable = "TMP" if "TMP" in os.environ else "TMPDIR"  # as PuLP has it, with which Snakemake chooses
    folder = Path(os.environ.get(variable) or tempfile.gettempdir())  # the latter passes over a full one in silence
    if _is_full(folder):
        raise PipelineError(
            "no space left in the temporary folder",
            where=folder,
            expected="room for what Snakemake writes when it chooses its next jobs, and for temporary files of jobs",
            remedy=f"free some space there, or set the variable {variable} to a larger folder, then run the same "
            "command again",
        )


def report_full_temporary_folder() -> None:
    """Print the error of `check_temporary_folder`, if there is one."""
    try:
        check_temporary_folder()
    except PipelineError as error:
        print(error, file=sys.stderr)


def _is_full(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_ROOM))
    except OSError as error:
        return is_disk_full(error)
    return False


def disk_full(where: Path | str, expected: str) -> PipelineError:
    """Make the error of a disk without space."""
    return PipelineError(
        "no space left on the disk",
        where=where,
        expected=expected,
        remedy="free some space or set `results:` to a larger disk, then run the same command again",
    )


def unwritable(results: Path, error: OSError) -> PipelineError:
    """Make the error of a results folder in which nothing can be written."""
    if is_disk_full(error):
        return disk_full(results, "room for the plans of jobs, before the first of them starts")
    return PipelineError(
        f"nothing can be written into the results folder: {error.strerror}",
        where=error.filename or results,
        expected="a folder that this user may write into",
        remedy="give the user that right, or set `results:` to another folder",
    )
