"""Tables that people bring: CSV, TSV, JSON lines or Parquet, with columns of their own names.

CSV and JSON lines are read by Python's own strict parsers, a line at a time: Arrow's are faster, but take a quotation
mark that is never closed for a text with all further rows in it, and guess the types of columns that nobody asked for.
"""

import csv
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.errors import PipelineError, did_you_mean
from pipeline_lib.files.archives import check_expansion, opened
from pipeline_lib.files.windows_1252 import MAPPED, mend_array

if TYPE_CHECKING:
    import pyarrow.parquet as pq

log = logging.getLogger(__name__)

T = TypeVar("T")

_LONGEST = 1 << 20  # bytes of one line or text; an utterance has some hundreds
_ROWS = 10_000  # of a batch
_BATCH_BYTES = 64 << 20  # of the lines of a batch, or, of Parquet, of one column
_BUFFER = 1 << 20  # bytes of a column's block that are read at a time
_SEPARATORS = {".csv": ",", ".tsv": "\t"}  # unless the configuration names another


@dataclass(frozen=True)
class Cells:
    """How a line of CSV or TSV is divided into cells.

    Args:
        separator: character between two cells; None: a tab in ``.tsv``, a comma in ``.csv``.
        quotes: whether a quotation mark at the start of a cell quotes it; if not, it is text.
        of_source: whether the settings of a source name columns, separator and quotes; errors then say so.
    """

    separator: str | None = None
    quotes: bool = True
    of_source: bool = False


def separator_of(header: str) -> str:
    """Tell what separates the cells of a CSV: spreadsheets write semicolons where the comma is the decimal mark."""
    return max(",;\t", key=header.count)


def cells_of(path: Path) -> Cells:
    """Tell the form of a CSV that a spreadsheet may have written, by its header; other files have none of their own."""
    if path.suffix != ".csv":
        return Cells()
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            return Cells(separator_of(file.readline(_LONGEST)))
    except OSError:
        return Cells()


def read_rows(
    path: Path, columns: Mapping[str, str], optional: Sequence[str] = (), cells: Cells = Cells()
) -> Iterator[pa.RecordBatch]:
    """Read rows of ``.csv``, ``.tsv``, ``.jsonl`` (all also ``.gz``) or ``.parquet``, in bounded memory.

    Args:
        columns: what a column is for -> its name in the file.
        optional: names of columns that come with them, if the file has them.
        cells: the form of a CSV or TSV.
    Returns:
        Batches of these columns; texts are valid UTF-8.
    Raises:
        PipelineError: another kind of file, not readable, or a column is missing (names the nearest).
    """
    kind = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    openers: dict[str, Callable[..., Iterator[pa.RecordBatch]]] = {".jsonl": _jsonl, ".parquet": _parquet}
    for delimited, separator in _SEPARATORS.items():
        openers[delimited] = partial(_csv, separator=cells.separator or separator, quotes=cells.quotes)
    if kind not in openers:
        raise PipelineError(
            f"no reader for a table of kind {kind!r}",
            where=path,
            expected=".csv, .tsv, .jsonl (all also .gz) or .parquet",
            remedy="convert the table, or correct the file's name in the configuration",
        )
    try:
        yield from openers[kind](path, columns, optional)
    except _MisreadError as error:
        error.remedy += f"; {error.setting}" if cells.of_source else ""
        raise
    except (pa.ArrowException, OSError, UnicodeError, MemoryError) as error:
        raise _unreadable(path, str(error)) from error


def read_table(
    path: Path, columns: Mapping[str, str], optional: Sequence[str] = (), cells: Cells = Cells(), *, remedy: str
) -> pa.Table:
    """Read a whole table as `read_rows` does.

    Args:
        remedy: what to do about a table without rows.
    Raises:
        PipelineError: as `read_rows`, or no rows.
    """
    batches = list(read_rows(path, columns, optional, cells))
    if not any(map(len, batches)):
        raise PipelineError("no rows", where=path, expected="a row at least", remedy=remedy)
    return pa.Table.from_batches(batches)


def texts_of(rows: pa.Table, name: str, path: Path) -> pa.ChunkedArray:
    """Return the column ``name`` as texts, with windows-1252 control characters replaced.

    Raises:
        PipelineError: values that are not texts, or missing ones; names the first row.
    """
    try:
        column = rows[name].cast(pa.string())
    except pa.ArrowException as error:
        raise PipelineError(
            f"column {name!r}: {error}", where=path, expected="text", remedy="write the column as text"
        ) from error
    if column.null_count:
        row = pc.index(column.is_null(), True).as_py() + 1
        raise PipelineError(
            f"{name} is missing in {column.null_count} of {len(column)} rows",
            where=f"{path}, first in row {row}",
            expected="text",
            remedy='complete the column; a text that is empty is written as ""',
        )
    mended = [mend_array(chunk) for chunk in column.chunks]
    if number := sum(count for _, count in mended):
        log.info("%s, column %s: %s %s", path, name, f"{number:,}", MAPPED)
    return pa.chunked_array([chunk for chunk, _ in mended], pa.string())


class _MisreadError(PipelineError):
    """A fault that may not be the file's.

    Attributes:
        setting: what the settings of a source can do about it.
    """

    setting = "`separator:` and `quotes: false` of the source name another form"


def _unreadable(path: Path, problem: str, line: int | None = None) -> PipelineError:
    return _MisreadError(
        f"not readable as a table: {problem}",
        where=f"{path}, line {line}" if line else path,
        expected="CSV, TSV, JSON lines or Parquet, as its name says, texts in UTF-8",
        remedy="mend the file; a CSV needs a header line and quotes around texts with commas, quotes or line ends; "
        "`iconv` converts other encodings",
    )


# --- CSV -----------------------------------------------------------------------------------------------------------


def _csv(
    path: Path, columns: Mapping[str, str], optional: Sequence[str], separator: str, quotes: bool
) -> Iterator[pa.RecordBatch]:
    with opened(path) as file:
        lines = _Lines(file, path)
        reader = csv.reader(lines, _dialect(separator, quotes))
        rows = _rows(reader, path)
        header = next(rows, None)
        if header is None:
            raise _unreadable(path, "the file is empty")
        _check_columns(header, columns, path)
        names = [*columns.values(), *(name for name in optional if name in header)]
        places = {name: header.index(name) for name in names}

        def whole() -> Iterator[list[str]]:
            for row in rows:
                if len(row) != len(header):
                    raise _unreadable(path, f"{len(row)} cells, but {len(header)} columns", reader.line_num)
                yield row

        for batch in _batches(whole(), lines):
            yield pa.record_batch({name: pa.array([row[at] for row in batch]) for name, at in places.items()})


def _dialect(separator: str, quotes: bool) -> type[csv.Dialect]:
    class Dialect(csv.excel):
        delimiter = separator
        quoting = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
        strict = True

    return Dialect


def _rows(reader: Any, path: Path) -> Iterator[list[str]]:
    """Yield the rows that are not empty."""
    csv.field_size_limit(_LONGEST)
    try:
        yield from filter(None, reader)
    except csv.Error as error:
        raise _unreadable(path, str(error), reader.line_num) from error


class _Lines:
    """Lines with their ends, in UTF-8, without a byte order mark; ``bytes`` counts what was read of them."""

    def __init__(self, file: Any, path: Path) -> None:
        self._file, self._path, self.bytes = file, path, 0

    def __iter__(self) -> Iterator[str]:
        number = 0
        while line := self._file.readline(_LONGEST + 1):
            number += 1
            self.bytes += len(line)
            if len(line) > _LONGEST:
                raise _unreadable(self._path, f"a line longer than {_LONGEST:,} bytes", number)
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise _unreadable(self._path, f"byte 0x{line[error.start]:02x} is not UTF-8", number) from error


def _batches(rows: Iterator[T], lines: _Lines) -> Iterator[list[T]]:
    """Yield ``rows``, made of ``lines``, up to ``_ROWS`` at once; fewer where their lines come to ``_BATCH_BYTES``."""
    batch: list[T] = []
    start = lines.bytes
    for row in rows:
        batch.append(row)
        if len(batch) == _ROWS or lines.bytes - start >= _BATCH_BYTES:
            yield batch
            batch, start = [], lines.bytes
    if batch:
        yield batch


# --- JSON lines ----------------------------------------------------------------------------------------------------


def _jsonl(path: Path, columns: Mapping[str, str], optional: Sequence[str]) -> Iterator[pa.RecordBatch]:
    names: list[str] = []
    kinds: dict[str, pa.DataType] = {}
    with opened(path) as file:
        lines = _Lines(file, path)
        for batch in _batches(_objects(lines, path), lines):
            if not names:
                found = list(dict.fromkeys(name for _, row in batch for name in row))
                _check_columns(found, columns, path, f", lines 1 to {batch[-1][0]:,}")
                names = [*columns.values(), *(name for name in optional if name in found)]
                kinds = {name: _kind([row.get(name) for _, row in batch]) for name in names}
            for name in optional:
                if name not in names and (late := [number for number, row in batch if name in row]):
                    raise _unreadable(path, f"column {name!r} begins here, far behind the first row", late[0])
            yield pa.record_batch({name: _column(batch, name, kinds[name], path) for name in names})


def _objects(lines: _Lines, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line, object) of the lines that are not blank."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, object_pairs_hook=_without_repeats)
        except (ValueError, RecursionError) as error:
            raise _unreadable(path, str(error), number) from error
        if not isinstance(value, dict):
            raise _unreadable(path, "no object, such as {…}", number)
        yield number, value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(values := dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice")
    return values


def _kind(values: Sequence[Any]) -> pa.DataType:
    """Tell the kind of a column by its first value: int64, or text."""
    return pa.int64() if _is_whole(next((value for value in values if value is not None), None)) else pa.string()


def _is_whole(value: Any) -> bool:
    """Tell whether a value is a whole number; pandas writes 0.0 where a column has gaps."""
    return type(value) is int or (type(value) is float and value.is_integer())


def _column(batch: list[tuple[int, dict[str, Any]]], name: str, kind: pa.DataType, path: Path) -> pa.Array:
    """Return values of one kind; a missing value is null."""
    values = [value.get(name) for _, value in batch]
    for (number, _), value in zip(batch, values, strict=True):
        if value is not None and not (_is_whole(value) if kind == pa.int64() else isinstance(value, str)):
            form = "whole numbers" if kind == pa.int64() else "texts"
            raise _unreadable(path, f"{name} is {value!r:.80} in a column of {form}, by its first value", number)
    if kind == pa.int64():
        values = [None if value is None else int(value) for value in values]
    try:
        return pa.array(values, kind)
    except (UnicodeEncodeError, OverflowError) as error:
        raise _unreadable(path, f"{name}: {error}", batch[0][0]) from error


# --- Parquet -------------------------------------------------------------------------------------------------------


def _parquet(path: Path, columns: Mapping[str, str], optional: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield batches so small that a long text of a dictionary, stored once in the file, fits in every row."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        header = file.schema_arrow.names
        _check_columns(header, columns, path)
        wanted = [*columns.values(), *(name for name in optional if name in header)]
        for name in wanted:
            if pa.types.is_nested(kind := file.schema_arrow.field(name).type):
                raise _unreadable(path, f"column {name!r} is of type {kind}")
        rows_at_once = _rows_at_once(file.metadata, wanted, path)
    with pq.ParquetFile(path, read_dictionary=wanted, pre_buffer=False, buffer_size=_BUFFER) as file:
        for batch in file.iter_batches(columns=wanted, batch_size=rows_at_once):
            batch.validate(full=True)
            longest = max((_longest_text(column) for column in batch.columns), default=0)
            if longest > _LONGEST:
                raise _unreadable(path, f"a text of {longest:,} bytes")
            rows = max(1, _BATCH_BYTES // max(longest, 1))
            for start in range(0, len(batch), rows):
                part = batch.slice(start, rows)
                plain = [
                    column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
                    for column in part.columns
                ]
                yield pa.record_batch(plain, part.schema.names)


def _rows_at_once(metadata: "pq.FileMetaData", wanted: Sequence[str], path: Path) -> int:
    """Return how many rows may be decoded together, by the sizes that the file states of its blocks.

    Raises:
        PipelineError: implausible sizes, since a page of a block is decoded as a whole however few rows are taken.
    """
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    blocks = [group.column(place) for group in groups for place in range(group.num_columns)]
    stated = [block for block in blocks if block.path_in_schema in wanted and block.num_values > 0]
    check_expansion(sum(block.total_uncompressed_size for block in stated), path.stat().st_size, str(path))
    widest = max((block.total_uncompressed_size / block.num_values for block in stated), default=0.0)
    return max(1, min(_ROWS, int(_BATCH_BYTES / max(widest, 1.0))))


def _longest_text(column: pa.Array) -> int:
    if not pa.types.is_dictionary(column.type) or not pa.types.is_string(column.type.value_type):
        return 0
    return pc.max(pc.binary_length(column.dictionary)).as_py() or 0


# --- columns -------------------------------------------------------------------------------------------------------


def _check_columns(found: list[str], columns: Mapping[str, str], path: Path, rows: str = "") -> None:
    """Check that the columns are there, each once.

    Args:
        rows: those that were looked at, where columns have no header.
    """
    for key, name in columns.items():
        if name not in found:
            error = _MisreadError(
                f"no column {name!r}",
                where=f"{path}{rows}",
                expected=did_you_mean(name, found),
                remedy="rename the column in the file",
            )
            error.setting = f"or name the one for {key!r} under `columns:` of the source"
            error.setting += "; `turn: null` takes the order of the rows" if key == "turn" else ""
            if len(found) == 1 and (mark := separator_of(found[0])) in found[0]:
                error.remedy = f"separate its cells by {'tabs' if '.tsv' in path.suffixes else 'commas'}"
                error.setting = f"or name what separates them: `separator: {json.dumps(mark)}` of the source"
            raise error
    if repeated := [name for name, times in Counter(found).items() if times > 1]:
        raise PipelineError(
            f"column {repeated[0]!r} stands twice",
            where=path,
            expected="columns of different names",
            remedy="rename or remove one of them",
        )
