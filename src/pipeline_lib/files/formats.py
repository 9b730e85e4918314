"""Text, JSON and Parquet, written atomically and read with the checks of `checksums`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_lib.errors import REMAKE, PipelineError
from pipeline_lib.files.atomic import atomic
from pipeline_lib.files.provenance import verify


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
    # not pyarrow.parquet.read_table: it imports pandas (0.4 s of every job), and takes folders named a=b for columns
    with _damage_named(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        _check_schema(path, file.schema_arrow, schema, columns)
        table: pa.Table = file.read(columns=columns)
    return table


def iter_parquet(
    path: Path, schema: pa.Schema | None = None, columns: list[str] | None = None, batch_size: int = 65_536
) -> Iterator[pa.RecordBatch]:
    """Read a table batch by batch in bounded memory, with the checks of `read_parquet`."""
    verify(path)
    with _damage_named(path), pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
        _check_schema(path, file.schema_arrow, schema, None)
        yield from file.iter_batches(batch_size=batch_size, columns=columns)


def parquet_schema(path: Path) -> pa.Schema:
    """Read the names and types of a table's columns."""
    verify(path)
    with _damage_named(path):
        return pq.read_schema(path)


def parquet_metadata(path: Path) -> dict[str, str]:
    """Read the key-value pairs that `write_parquet` was given."""
    return _decoded(parquet_schema(path).metadata)


def metadata_of(table: pa.Table) -> dict[str, str]:
    """Give the same of a table that `read_parquet` returned, without reading the file again for its checksum."""
    return _decoded(table.schema.metadata)


def _decoded(metadata: dict[bytes, bytes] | None) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in (metadata or {}).items()}


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise PipelineError("file not found", where=path, remedy="run the workflow that makes it") from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last: of a damaged column name
        raise PipelineError(
            f"damaged or not a Parquet file: {error}",
            where=path,
            expected="a Parquet file written by this workflow",
            remedy=REMAKE,
        ) from error


def _check_schema(path: Path, found: pa.Schema, schema: pa.Schema | None, columns: list[str] | None) -> None:
    """Raise where a wanted column is missing or of another type than ``schema`` says; None: any type will do."""
    types = {} if schema is None else {field.name: field.type for field in schema}
    for name in types if columns is None else columns:
        index, wanted = found.get_field_index(name), types.get(name)
        if index < 0 or (wanted is not None and found.field(index).type != wanted):
            raise PipelineError(
                f"column {name!r} is " + ("missing" if index < 0 else f"of type {found.field(index).type}"),
                where=path,
                expected=name if wanted is None else f"{name}: {wanted}",
                remedy=REMAKE,
            )
