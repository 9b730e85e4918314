"""Checksums of files as they were written, and the check that they are unchanged.

Beside each file ``name`` lies ``.name.sha256``, a line as ``sha256sum -c`` reads it; every reader first compares the
file with it. A file without one, put there by hand, is read with the checks of its own format. So are Snakemake's local
copies of objects in a bucket: Snakemake replaces them by newer ones, about which a checksum beside the copy says
nothing, and the storage has its own.
"""

import hashlib
import re
from itertools import pairwise
from pathlib import Path

from pipeline_lib.errors import REMAKE, PipelineError

CHANGED = "changed since it was written: damaged or edited"


def verify(path: Path) -> None:
    """Compare a file that is about to be read with the checksum that was kept when it was written.

    Raises:
        PipelineError: it changed, or the checksum did.
    """
    if not intact(path):
        raise PipelineError(
            what_changed(path),
            where=path,
            expected=f"the bytes that {checksum_file(path).name} was computed from",
            remedy=f"{irreplaceable(path) or REMAKE}. If you put it there yourself, or trust it as it is, "
            f"delete {checksum_file(path).name} beside it instead",
        )


def intact(path: Path) -> bool:
    """Check that a file is as it was written; True if there is no file or no checksum to compare."""
    if is_local_copy(path):
        return True
    try:
        return checksum_file(path).read_bytes() == checksum_line(sha256(path), path)
    except FileNotFoundError:
        return True


def what_changed(path: Path) -> str:
    """Tell which is known to have changed of a file that is not `intact`: it, or the checksum beside it."""
    line = rb"[0-9a-f]{64}  " + re.escape(path.name.encode()) + rb"\n"
    if re.fullmatch(line, checksum_file(path).read_bytes()):
        return CHANGED
    return f"the checksum kept beside it, {checksum_file(path).name}, is damaged; the file itself may be intact"


def irreplaceable(path: Path) -> str:
    """Advise on a damaged file that is not made again once it alone is deleted; empty for every other file."""
    *_, grandparent, parent, place, name = ("", "", "", *path.absolute().parts)
    if (grandparent, parent, place) == ("ratings", "keys", "kept"):
        return "restore the file from a backup: the key of an earlier draw is not made again"
    if parent == "raw" and name != "manifest.json" and path.with_name("manifest.json").exists():
        return "delete the file and manifest.json beside it and run the same command again; it will be fetched again"
    return ""


def checksum_file(path: Path) -> Path:
    """Return the path at which the checksum of ``path`` is kept."""
    return path.with_name(f".{path.name}.sha256")


def is_local_copy(path: Path) -> bool:
    """Tell whether a file lies where Snakemake keeps its copies of objects in a bucket."""
    return (".snakemake", "storage") in pairwise(path.absolute().parts)


def checksum_line(digest: str, path: Path) -> bytes:
    return f"{digest}  {path.name}\n".encode()


def sha256(path: Path) -> str:
    """Return the hex digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
