"""Text out of zip and gzip files that nobody vouches for: no path is trusted, no expansion unbounded."""

import gzip
import io
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any

from pipeline_lib.errors import PipelineError

MAX_MEMBER_BYTES = 512 << 20  # of one zip member, which is read into memory
MAX_RATIO = 200  # of expanded to stored size; text reaches 20 at most, bombs a thousand
_RATIO_FROM = 16 << 20  # expanded bytes below which no ratio does harm
_BLOCK = 4 << 20

# all that zipfile, gzip and their decompressors raise about bytes that are none of theirs
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(OSError, EOFError, ValueError, RuntimeError, OverflowError, LookupError),
)


def read_member(archive: Path, *names: str) -> bytes:
    """Read the member whose file name is ``names[0]``, in whatever folder of the archive it lies.

    Further names descend: ``read_member(outer, "train.zip", "dialogues_train.txt")`` reads a zip inside a zip.

    Raises:
        PipelineError: damaged, encrypted or unsafe archive; no such member, or more than one.
    """
    data: IO[bytes] | Path = archive
    where = str(archive)
    for name in names:
        content = _read(data, name, where)
        where, data = f"{where} > {name}", io.BytesIO(content)
    return content


def read_text(path: Path) -> bytes:
    """Read a text file, plain or ``.gz``, that is small enough for memory.

    Raises:
        PipelineError: as `blocks` does, or the text is longer than `MAX_MEMBER_BYTES`.
    """
    content = bytearray()
    for block in blocks(path):
        content += block
        _check_length(len(content), str(path))
    return bytes(content)


def blocks(path: Path) -> Iterator[bytes]:
    """Yield a text file, plain or ``.gz``, in blocks of some MiB that end with a whole line.

    Raises:
        PipelineError: a damaged or cut-off gzip stream, one of implausible expansion, or a line longer than a block.
    """
    rest = b""
    with opened(path) as file:
        while block := file.read(_BLOCK):
            whole, newline, tail = block.rpartition(b"\n")
            if newline:
                yield rest + whole + newline
                rest = tail
            else:
                rest += block
            if len(rest) > 2 * _BLOCK:
                raise PipelineError(
                    f"a line is longer than {len(rest):,} bytes",
                    where=path,
                    expected="text with one utterance a line",
                    remedy="check that this is the right file",
                )
    if rest:
        yield rest


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, plain or ``.gz``, to be read as a stream.

    Raises:
        PipelineError: a damaged or cut-off gzip stream, or one of implausible expansion, as soon as reading meets it.
    """
    with open(path, "rb") as raw:
        if path.suffix == ".gz":
            yield io.BufferedReader(_Bounded(gzip.GzipFile(fileobj=raw), path.stat().st_size, str(path)), _BLOCK)
        else:
            yield raw


@contextmanager
def opened_member(archive: Path, choose: Callable[[list[str]], str]) -> Iterator[IO[bytes]]:
    """Open the member of a zip that ``choose`` picks from their names, to be read as a stream.

    Raises:
        PipelineError: as `opened` does, and where the archive is damaged or encrypted.
    """
    with ExitStack() as stack:
        with _damage_named(str(archive)):
            directory = stack.enter_context(zipfile.ZipFile(archive))
            info = directory.getinfo(choose(directory.namelist()))
            member = stack.enter_context(directory.open(info))
        bounded = _Bounded(member, info.compress_size, f"{archive} > {info.filename}")
        yield io.BufferedReader(bounded, _BLOCK)


class _Bounded(io.RawIOBase):
    """The output of a decompressor, as long as it is not implausibly larger than the input."""

    def __init__(self, expanding: IO[bytes] | gzip.GzipFile, stored: int, where: str) -> None:
        super().__init__()
        self._expanding, self._stored, self._where, self._expanded = expanding, stored, where, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _damage_named(self._where):
            data = self._expanding.read(len(buffer))
        buffer[: len(data)] = data
        self._expanded += len(data)
        check_expansion(self._expanded, self._stored, self._where)
        return len(data)


def _read(source: IO[bytes] | Path, name: str, where: str) -> bytes:
    with _damage_named(where), zipfile.ZipFile(source) as archive:
        for info in archive.infolist():
            _check_safe(info, where)
        found = [
            info
            for info in archive.infolist()
            if PurePosixPath(info.filename).name == name and "__MACOSX" not in PurePosixPath(info.filename).parts
        ]
        if len(found) != 1:
            held = ", ".join(info.filename for info in archive.infolist()[:10])
            raise PipelineError(
                f"{len(found) or 'no'} members named {name!r}",
                where=where,
                expected=f"exactly one; the archive holds {held}",
                remedy="fetch the original release, or correct the file's entry in the source's `bundles:`",
            )
        return _read_bounded(archive, found[0], where)


def _read_bounded(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> bytes:
    content = bytearray()
    with archive.open(info) as member:  # the sizes in the directory may lie: what comes out is counted
        while block := member.read(_BLOCK):
            content += block
            check_expansion(len(content), info.compress_size, f"{where} > {info.filename}")
            _check_length(len(content), f"{where} > {info.filename}")
    return bytes(content)


def _check_length(length: int, where: str) -> None:
    if length > MAX_MEMBER_BYTES:
        raise PipelineError(
            f"expands to more than {MAX_MEMBER_BYTES >> 20} MiB",
            where=where,
            expected="a corpus release",
            remedy="check where the file came from",
        )


def _check_safe(info: zipfile.ZipInfo, where: str) -> None:
    path = PurePosixPath(info.filename.replace("\\", "/"))
    leaves = path.is_absolute() or ".." in path.parts or PureWindowsPath(info.filename).drive
    if leaves or stat.S_ISLNK(info.external_attr >> 16):
        raise PipelineError(
            f"the archive has an unsafe member {info.filename!r}",
            where=where,
            expected="members that stay inside the archive: no absolute path, no `..`, no link",
            remedy="do not use this archive; fetch the original release",
        )


def check_expansion(expanded: int, stored: int, where: str) -> None:
    """Refuse what expands to implausibly more bytes than are stored."""
    if expanded > _RATIO_FROM and expanded > MAX_RATIO * max(stored, 1):
        raise PipelineError(
            f"expands to more than {MAX_RATIO} times its size",
            where=where,
            expected="compressed text",
            remedy="check where the archive came from",
        )


@contextmanager
def _damage_named(where: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except _UNREADABLE as error:
        raise PipelineError(
            f"damaged, cut off or not an archive: {error}",
            where=where,
            expected="a complete zip or gzip file without a password",
            remedy="replace the file where it was taken from, delete the folder it lies in now, and run again",
        ) from error
