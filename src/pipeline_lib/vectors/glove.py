"""A reader of GloVe files: only the rows of wanted tokens, in bounded memory, and never a wrong row in silence.

The format is Stanford's: a token and its numbers, separated by single spaces, one row a line, no header. Tokens of the
840B release may contain spaces, so the last ``dimension`` fields are the vector. That release is cased: tokens here are
lower-case, hence only its lower-case rows match, and a word that it has in capitals only counts as absent.
"""

import codecs
import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.archives import opened, opened_member
from pipeline_lib.files.checksums import sha256
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.files.provenance import verify
from pipeline_lib.schemas.vectors import vectors_schema

log = logging.getLogger(__name__)

_BLOCK = 1 << 23  # bytes read at once
_LONGEST_LINE = 1 << 20  # bytes; a row of 300 numbers has under 4,000
_ROWS_AT_ONCE = 2_000  # wanted rows whose numbers are parsed together


@dataclass(frozen=True)
class VectorSelection:
    """The wanted rows of a GloVe file.

    Attributes:
        path: the file.
        tokens: (K) string, in the file's order.
        vectors: (K, E) float32, finite.
        rows: number of rows in the file.
        duplicates: how many more rows had one of ``tokens``; the first row of each was kept.
    """

    path: Path
    tokens: pa.Array
    vectors: np.ndarray
    rows: int
    duplicates: int

    def write(self, out: Path) -> None:
        """Write as `vectors_schema`, with the file's name and checksum as metadata."""
        write_vectors(out, self.tokens, self.vectors, self.path.name, sha256(self.path))


def write_vectors(out: Path, tokens: pa.Array, vectors: np.ndarray, source: str, checksum: str | None = None) -> None:
    """Write (K) tokens and their (K, E) float32 vectors as `vectors_schema`.

    Args:
        source: where they come from; metadata.
        checksum: sha256 of the file that they were read from; None: trained here, the vectors' own bytes are hashed.
    """
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    metadata = {"source": source, "sha256": checksum or hashlib.sha256(vectors.tobytes()).hexdigest()}
    write_parquet(out, pa.table({"token": tokens, "vector": column}), vectors_schema(vectors.shape[1]), metadata)


def select_vectors(path: Path, wanted: pa.Array, dimension: int | None = None) -> VectorSelection:
    """Read the vectors of ``wanted`` tokens.

    Args:
        path: text, ``.gz`` or ``.zip``; a zip with several files, like glove.6B.zip, needs ``dimension``.
        wanted: string, lower-case tokens without spaces.
        dimension: expected width; if None, that of the first row.
    Raises:
        PipelineError: the file is missing or damaged; a wanted row is ragged or holds something other than finite
            numbers; any row has fewer numbers than the first, or fields enough for two rows; no token was found. Names
            the line.
    """
    reader = _Reader(path, {token.encode() for token in wanted.to_pylist()}, dimension)
    with _opened(path, dimension) as file:
        for block in _blocks(file, path):
            reader.take(block)
    return reader.result()


class _Row(NamedTuple):
    line: int  # 1-based
    token: bytes
    numbers: bytes


class _Reader:
    """Picks the wanted rows out of blocks of lines; floats are parsed for these rows alone."""

    def __init__(self, path: Path, wanted: set[bytes], dimension: int | None) -> None:
        self._path, self._wanted, self._expected = path, wanted, dimension
        self._dimension = 0  # known from the first row
        self._lines = self._blank = self._duplicates = 0
        self._waiting: list[_Row] = []
        self._tokens: dict[bytes, int] = {}  # token: its line
        self._parsed: list[np.ndarray] = []

    def take(self, block: bytes) -> None:
        """Read one block of whole lines."""
        lines = block.split(b"\n")
        if not lines[-1]:
            lines.pop()
        if not self._dimension:
            self._read_width(lines[0])
        wanted = self._wanted
        for number, line in enumerate(lines, self._lines + 1):
            if line[: line.find(b" ")] in wanted:
                self._keep(number, line.rstrip(b" \r"))
        # a vectorised count clears the whole block; only where a line does not fit is each looked at
        characters = np.frombuffer(block, np.uint8)
        ends = np.append(np.flatnonzero(characters == ord("\n")), len(block))[: len(lines)]
        spaces = np.diff(np.searchsorted(np.flatnonzero(characters == ord(" ")), ends), prepend=0)
        if (spaces != self._dimension).any():
            self._check_widths(lines)
        self._lines += len(lines)

    def result(self) -> VectorSelection:
        """Return what was found, once every block was taken."""
        self._parse_waiting()
        if not self._tokens:
            raise self._fault(
                f"none of {len(self._wanted):,} wanted tokens is in this file",
                expected="lower-case tokens, as in glove.6B",
                remedy="check that the file is a GloVe file for the language of the corpus",
            )
        if self._duplicates:
            log.warning("%s: %d repeated rows; the first of each token was kept", self._path, self._duplicates)
        rows = self._lines - self._blank
        found = len(self._tokens)
        log.info("%s: %d of %d tokens found in %d rows", self._path, found, len(self._wanted), rows)
        tokens = pa.array([token.decode() for token in self._tokens], pa.string())
        return VectorSelection(self._path, tokens, np.concatenate(self._parsed), rows, self._duplicates)

    def _read_width(self, line: bytes) -> None:
        fields = line.rstrip(b" \r").split(b" ")
        if len(fields) == 2 and all(field.isdigit() for field in fields):
            raise self._fault(
                "the first line is a header",
                line=1,
                expected="GloVe's format, which has none: a token and its numbers on every line",
                remedy="remove the first line (tail -n +2)",
            )
        self._dimension = self._expected or len(fields) - 1
        if self._dimension < 1 or len(fields) - 1 < self._dimension or self._is_ragged(fields):
            raise self._fault(
                f"rows of {len(fields) - 1} numbers",
                line=1,
                expected=f"{self._expected} numbers after the token" if self._expected else "a token and its numbers",
                remedy="name a file of the right width, or correct `embeddings.dimension`",
            )

    def _is_ragged(self, fields: list[bytes]) -> bool:
        """Tell whether the row is too short, or too long without being a token that contains spaces.

        The 840B release's tokens with spaces (``. . .``, ``at name@domain.com``) are short and have no number in them.
        """
        surplus = fields[1 : len(fields) - self._dimension]
        return (
            len(fields) <= self._dimension
            or self._is_joined(len(fields))
            or (bool(surplus) and (not any(surplus) or any(map(_is_number, surplus))))
        )

    def _is_joined(self, fields: int) -> bool:
        """Tell whether a row is long enough for two whose line end was lost: 3.2hello, or 3.2 hello."""
        return fields > 2 * self._dimension

    def _keep(self, number: int, line: bytes) -> None:
        fields = line.split(b" ")
        if self._is_ragged(fields):
            raise self._ragged(number, fields)
        if len(fields) > self._dimension + 1:
            return  # a token that contains spaces and begins with a wanted one
        token = fields[0]
        if token in self._tokens:
            self._duplicates += 1
            return
        self._tokens[token] = number
        self._waiting.append(_Row(number, token, line[len(token) + 1 :]))
        if len(self._waiting) == _ROWS_AT_ONCE:
            self._parse_waiting()

    def _check_widths(self, lines: list[bytes]) -> None:
        for number, line in enumerate(lines, self._lines + 1):
            line = line.rstrip(b" \r")
            if not line:
                self._blank += 1
            elif (spaces := line.count(b" ")) < self._dimension or self._is_joined(spaces + 1):
                raise self._ragged(number, line.split(b" "))

    def _parse_waiting(self) -> None:
        if not self._waiting:
            return
        try:
            vectors = _parse([row.numbers for row in self._waiting], self._dimension)
        except pa.ArrowInvalid:
            vectors = np.full((1, 1), np.nan, np.float32)
        if not np.isfinite(vectors).all():
            raise self._first_unreadable()
        self._parsed.append(vectors)
        self._waiting.clear()

    def _first_unreadable(self) -> PipelineError:
        for row in self._waiting:
            for position, field in enumerate(row.numbers.split(b" "), 1):
                if not _is_number(field):
                    return self._fault(
                        f"number {position} of {row.token.decode()!r} is {field.decode(errors='replace')[:40]!r}",
                        line=row.line,
                        expected="a finite decimal number that fits 32 bits",
                        remedy="take an undamaged copy of the file",
                    )
        raise AssertionError("a block of rows was unreadable, but none of its rows was")

    def _ragged(self, line: int, fields: list[bytes]) -> PipelineError:
        return self._fault(
            f"{len(fields) - 1} numbers in the row of {fields[0].decode(errors='replace')[:40]!r}",
            line=line,
            expected=f"{self._dimension} numbers, as in the first row",
            remedy="take an undamaged copy of the file",
        )

    def _fault(self, problem: str, *, line: int | None = None, expected: str, remedy: str) -> PipelineError:
        where = f"{self._path}, line {line}" if line else self._path
        return PipelineError(problem, where=where, expected=expected, remedy=remedy)


def _parse(rows: list[bytes], dimension: int) -> np.ndarray:
    """Parse K rows of numbers into (K, dimension) float32.

    Arrow's parser is strict and ten times as fast as Python's.
    """
    fields = pc.split_pattern(pa.array(rows, pa.binary()).cast(pa.string()), " ")
    return fields.values.cast(pa.float32()).to_numpy().reshape(len(rows), dimension)


def _is_number(field: bytes) -> bool:
    try:
        return bool(np.isfinite(_parse([field], 1)).all())
    except (pa.ArrowInvalid, ValueError):
        return False


def _blocks(file: IO[bytes], path: Path) -> Iterator[bytes]:
    """Yield blocks of whole lines, without a byte order mark, which would become part of the first token."""
    rest = b""
    if (start := file.read(len(codecs.BOM_UTF8))) != codecs.BOM_UTF8:
        rest = start
    while data := file.read(_BLOCK):
        end = data.rfind(b"\n") + 1
        if end:
            yield rest + data[:end]
            rest = data[end:]
        else:
            rest += data
        if len(rest) > _LONGEST_LINE:
            raise PipelineError(
                f"a line longer than {_LONGEST_LINE:,} bytes",
                where=path,
                expected="a GloVe file: a token and its numbers on every line",
                remedy="check that this is the right file and that it is text, .gz or .zip",
            )
    if rest:
        yield rest


@contextmanager
def _opened(path: Path, dimension: int | None) -> Iterator[IO[bytes]]:
    verify(path)
    chosen = (
        opened_member(path, lambda names: _member(path, names, dimension)) if path.suffix == ".zip" else opened(path)
    )
    try:
        with chosen as file:
            yield file
    except FileNotFoundError as error:
        raise PipelineError(
            "file not found", where=path, expected="a GloVe file", remedy="correct `embeddings.file` or `mirror:`"
        ) from error


def _member(path: Path, held: list[str], dimension: int | None) -> str:
    """Name the one text file of a zip, or the one for ``dimension``."""
    names = [name for name in held if name.endswith(".txt") and not name.startswith("__MACOSX")]
    if len(names) > 1:
        names = [name for name in names if f".{dimension}d." in name]
    if len(names) != 1:
        raise PipelineError(
            f"no single text file to read among {', '.join(held[:10]) or 'no files'}",
            where=path,
            expected="one .txt file, or several named like glove.6B.300d.txt",
            remedy="set `embeddings.dimension` to one of the widths, or name the unpacked file",
        )
    return names[0]
