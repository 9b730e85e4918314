"""The error of a full disk."""

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
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_ROOM))
    except OSError as error:
        if is_disk_full(error):
            print(disk_full(folder, "room for a log"), file=sys.stderr)


def disk_full(where: Path | str, expected: str) -> PipelineError:
    """Make the error of a disk without space."""
    return PipelineError(
        "no space left on the disk",
        where=where,
        expected=expected,
        remedy="free some space or set `results:` to a larger disk, then run the same command again",
    )
