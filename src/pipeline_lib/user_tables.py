"""Tables that people bring: CSV, JSON lines or Parquet, with columns of their own names."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from pipeline_lib.errors import PipelineError, nearest


def read_rows(path: Path, columns: dict[str, str], optional: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
    """Rows of ``.csv``, ``.jsonl`` (both also ``.gz``) or ``.parquet``, in bounded memory.

    Args:
        columns: what a column is for -> its name in the file; further columns may come with them.
        optional: names of columns that come with them for certain, if the file has them.
    Raises:
        PipelineError: another kind of file, not readable, or a column is missing (names the nearest).
    """
    kind = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    openers = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}
    if kind not in openers:
        raise PipelineError(
            f"no reader for a table of kind {kind!r}",
            where=path,
            expected=".csv, .jsonl (both also .gz) or .parquet",
            remedy="convert the table, or correct the file's name in the configuration",
        )
    try:
        yield from openers[kind](path, columns, optional)
    except (pa.ArrowInvalid, EOFError, OSError, UnicodeDecodeError) as error:
        raise PipelineError(
            f"not readable as a table: {error}",
            where=path,
            expected=f"{kind[1:]} in UTF-8",
            remedy="mend the file; a CSV needs a header line and quotes around texts with commas",
        ) from error


def _csv(path: Path, columns: dict[str, str], optional: Sequence[str]) -> Iterator[pa.RecordBatch]:
    from pyarrow import csv

    convert = csv.ConvertOptions(column_types={name: pa.string() for name in (*columns.values(), *optional)})
    reader = csv.open_csv(path, parse_options=csv.ParseOptions(newlines_in_values=True), convert_options=convert)
    _check_columns(reader.schema.names, columns, path)
    yield from reader


def _jsonl(path: Path, columns: dict[str, str], optional: Sequence[str]) -> Iterator[pa.RecordBatch]:
    from pyarrow import json as arrow_json

    with pa.input_stream(path) as stream:  # decompresses by the file name
        first = stream.read(1 << 20).partition(b"\n")[0]
    try:
        example = json.loads(first)
    except json.JSONDecodeError as error:
        raise pa.ArrowInvalid(f"line 1: {error}") from error
    _check_columns(list(example), columns, path)
    names = [*columns.values(), *(name for name in optional if name in example)]
    kinds = {name: pa.int64() if isinstance(example[name], int) else pa.string() for name in names}
    options = arrow_json.ParseOptions(explicit_schema=pa.schema(kinds), unexpected_field_behavior="ignore")
    yield from arrow_json.open_json(path, parse_options=options)


def _parquet(path: Path, columns: dict[str, str], optional: Sequence[str]) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        _check_columns(file.schema_arrow.names, columns, path)
        found = [name for name in optional if name in file.schema_arrow.names]
        yield from file.iter_batches(columns=[*columns.values(), *found])


def _check_columns(found: list[str], columns: dict[str, str], path: Path) -> None:
    for key, name in columns.items():
        if name not in found:
            raise PipelineError(
                f"no column {name!r}",
                where=path,
                expected=nearest(name, found),
                remedy=f"name the column for {key!r} in the configuration, or rename it in the file",
            )
