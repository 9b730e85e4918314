"""Reading and writing files so that nothing half-written or damaged is ever taken for a result.

Every write goes to a temporary name in the same folder, is flushed to disk and renamed. Beside each file ``name`` lies
``.name.sha256``, a line as ``sha256sum -c`` reads it; every reader compares the file with it first. A file without one,
put there by hand, is read with the checks of its own format. So are Snakemake's local copies of objects in a bucket:
Snakemake replaces them by newer ones, of which a checksum beside the copy knows nothing, and the storage has its own.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_lib.errors import PipelineError

REMAKE = "delete the file and run the same command again; it will be remade"
CHANGED = "changed since it was written: damaged or edited"
_ROOM = 1 << 16  # bytes that a log should find free


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


def is_disk_full(error: OSError) -> bool:
    """Whether a disk, or what a user may have of it, is used up; Arrow's own errors say so in their message alone."""
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
    """The error of a disk without space."""
    return PipelineError(
        "no space left on the disk",
        where=where,
        expected=expected,
        remedy="free some space or set `results:` to a larger disk, then run the same command again",
    )


def publish(temporary: Path, path: Path) -> None:
    """Flush ``temporary``, a finished file beside ``path``, to disk and rename it, with its checksum.

    The old checksum goes before the file changes and the new one comes after, so that no moment of a crash leaves a
    wrong checksum beside a right file: at worst there is none.
    """
    with open(temporary, "rb+") as file:
        os.fsync(file.fileno())
    if _is_local_copy(path):
        os.replace(temporary, path)
        return
    kept = checksum_file(path)
    fresh = kept.with_name(kept.name + ".tmp")
    try:
        with open(fresh, "wb") as file:
            file.write(_checksum_line(sha256(temporary), path))
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
    line = kept.read_text(encoding="utf-8").replace(f"  {path.name}\n", f"  {target.name}\n") if kept.exists() else ""
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
    """Whether a file is as it was written; without a kept checksum, or a file, nothing speaks against it."""
    if _is_local_copy(path):
        return True
    try:
        return checksum_file(path).read_bytes() == _checksum_line(sha256(path), path)
    except FileNotFoundError:
        return True


def what_changed(path: Path) -> str:
    """Of a file that is not `intact`: whether it, or the checksum beside it, can be told to have changed."""
    line = rb"[0-9a-f]{64}  " + re.escape(path.name.encode()) + rb"\n"
    if re.fullmatch(line, checksum_file(path).read_bytes()):
        return CHANGED
    return f"the checksum kept beside it, {checksum_file(path).name}, is damaged; the file itself may be well"


def irreplaceable(path: Path) -> str:
    """What to do about a damaged file that is not made again once it alone is deleted; empty for every other file."""
    *_, grandparent, parent, place, name = ("", "", "", *path.absolute().parts)
    if (grandparent, parent, place) == ("human", "keys", "kept"):
        return "restore the file from a backup: the key of an earlier draw is not made again"
    if parent == "raw" and name != "manifest.json" and path.with_name("manifest.json").exists():
        return "delete the file and manifest.json beside it and run the same command again; it will be fetched again"
    return ""


def checksum_file(path: Path) -> Path:
    """Where the checksum of ``path`` is kept."""
    return path.with_name(f".{path.name}.sha256")


def _is_local_copy(path: Path) -> bool:
    """Whether a file lies where Snakemake keeps its copies of objects in a bucket."""
    return (".snakemake", "storage") in pairwise(path.absolute().parts)


def _checksum_line(digest: str, path: Path) -> bytes:
    return f"{digest}  {path.name}\n".encode()


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


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` atomically as indented JSON with sorted keys."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_text(path: Path) -> str:
    """Read UTF-8 text as it was written.

    Raises:
        PipelineError: the file changed since.
    """
    verify(path)
    return path.read_text(encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        PipelineError: the file changed since it was written, or is not JSON.
    """
    try:
        return json.loads(read_text(path))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise PipelineError(f"not readable as JSON: {error}", where=path, remedy=REMAKE) from error


@contextmanager
def parquet_writer(path: Path, schema: pa.Schema, metadata: dict[str, str] | None = None) -> Iterator[pq.ParquetWriter]:
    """Stream record batches or tables of ``schema`` into ``path``; the file appears only when all went well."""
    with (
        atomic(path) as temporary,
        pq.ParquetWriter(
            temporary, schema.with_metadata(metadata or {}), compression="zstd", write_page_checksum=True
        ) as writer,
    ):
        yield writer


def write_parquet(path: Path, table: pa.Table, schema: pa.Schema, metadata: dict[str, str] | None = None) -> None:
    """Write ``table`` atomically after casting it to ``schema``; ``metadata`` goes into the file's key-value pairs."""
    with parquet_writer(path, schema, metadata) as writer:
        writer.write_table(table.select(schema.names).cast(schema).replace_schema_metadata(metadata or {}))


def read_parquet(path: Path, schema: pa.Schema | None = None, columns: list[str] | None = None) -> pa.Table:
    """Read a table as it was written and verify, where given, its schema (names and types).

    Raises:
        PipelineError: the file is missing, damaged, or of another schema.
    """
    verify(path)
    with _damage_named(path):
        table = pq.read_table(path, columns=columns, page_checksum_verification=True)
    _check_schema(path, table.schema, schema, columns)
    return table


def iter_parquet(
    path: Path, schema: pa.Schema | None = None, columns: list[str] | None = None, batch_size: int = 65_536
) -> Iterator[pa.RecordBatch]:
    """Read a table batch by batch in bounded memory, with the checks of `read_parquet`."""
    verify(path)
    with _damage_named(path), pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
        _check_schema(path, file.schema_arrow, schema, None)
        yield from file.iter_batches(batch_size=batch_size, columns=columns)


def parquet_metadata(path: Path) -> dict[str, str]:
    """The key-value pairs that `write_parquet` was given."""
    verify(path)
    with _damage_named(path):
        pairs = pq.read_schema(path).metadata or {}
    return {key.decode(): value.decode() for key, value in pairs.items()}


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise PipelineError("file not found", where=path, remedy="run the workflow that makes it") from error
    except (pa.ArrowException, OSError) as error:
        raise PipelineError(
            f"damaged or not a Parquet file: {error}",
            where=path,
            expected="a Parquet file written by this workflow",
            remedy=REMAKE,
        ) from error


def _check_schema(path: Path, found: pa.Schema, schema: pa.Schema | None, columns: list[str] | None) -> None:
    if schema is None:
        return
    wanted = [field for field in schema if columns is None or field.name in columns]
    for field in wanted:
        index = found.get_field_index(field.name)
        if index < 0 or found.field(index).type != field.type:
            raise PipelineError(
                f"column {field.name!r} is " + ("missing" if index < 0 else f"of type {found.field(index).type}"),
                where=path,
                expected=f"{field.name}: {field.type}",
                remedy=REMAKE,
            )


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
