"""Checksums of files as they were written, and the check that they are unchanged.

Beside each file ``name`` lies ``.name.sha256``: a line as ``sha256sum -c`` reads it and, as a comment of that format,
the record of what the file was made from (`files.provenance`), with a checksum of its own. Every reader first compares
the file with it. A file without one, put there by hand, is read with the checks of its own format. So are Snakemake's
local copies of objects in a bucket: Snakemake replaces them by newer ones, about which a checksum beside the copy says
nothing, and the storage has its own.
"""

import hashlib
import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from pipeline_lib.errors import REMAKE, PipelineError

CHANGED = "changed since it was written: damaged or edited"


class Kept(NamedTuple):
    """What is kept beside a file: the hex digest of its bytes, and the record of what it was made from, or ""."""

    sha256: str
    record: str


def kept(path: Path) -> Kept | None:
    """Read what is kept beside ``path``; None if nothing is, or something that is damaged."""
    try:
        data = checksum_file(path).read_bytes()
    except FileNotFoundError:
        return None
    pattern = rb"([0-9a-f]{64})  " + re.escape(path.name.encode()) + rb"\n(?:# ([0-9a-f]{16}) (.*)\n)?"
    found = re.fullmatch(pattern, data)
    if not found:
        return None
    digest, check, record = (group or b"" for group in found.groups())
    return Kept(digest.decode(), record.decode(errors="replace")) if check == _check(record) else None


def keeping(path: Path, digest: str, record: str = "") -> bytes:
    """Return the content of the `checksum_file` of ``path``, as `kept` reads it; ``record`` is one line."""
    line = f"{digest}  {path.name}\n".encode()
    return line + b"# " + _check(record.encode()) + b" " + record.encode() + b"\n" if record else line


def refuse_changed(path: Path) -> str | None:
    """Compare a file that is about to be read with the checksum that was kept when it was written.

    Returns:
        The hex digest of its bytes; None if there is no file, or no checksum to compare.
    Raises:
        PipelineError: it changed, or the checksum did.
    """
    if is_local_copy(path) or not (checksum_file(path).exists() and path.exists()):
        return None
    digest, beside = sha256(path), kept(path)
    if beside and beside.sha256 == digest:
        return digest
    raise PipelineError(
        what_changed(path),
        where=path,
        expected=f"the bytes that {checksum_file(path).name} was computed from",
        remedy=f"{irreplaceable(path) or REMAKE}. If you put it there yourself, or trust it as it is, "
        f"delete {checksum_file(path).name} beside it instead",
    )


def intact(path: Path) -> bool:
    """Check that a file is as it was written; True if there is no file or no checksum to compare."""
    try:
        refuse_changed(path)
    except PipelineError:
        return False
    return True


def what_changed(path: Path) -> str:
    """Tell which is known to have changed of a file that is not `intact`: it, or the checksum beside it."""
    if kept(path):
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


def _check(record: bytes) -> bytes:
    """Return the checksum of a record; of none, nothing."""
    return hashlib.sha256(record).hexdigest()[:16].encode() if record else b""


def sha256(path: Path) -> str:
    """Return the hex digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
