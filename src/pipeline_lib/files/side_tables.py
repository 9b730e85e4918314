"""Side tables: numbers of examples that are kept beside them, found by the example's id."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.errors import REMAKE, PipelineError
from pipeline_lib.files.formats import parquet_schema, read_parquet


def joined(example_ids: NDArray[np.int64], path: Path, column: str) -> NDArray[np.int64]:
    """Look up a whole number, or K of them, for each example in a side table.

    Args:
        example_ids: (n,).
        path: a table with ``example_id`` and ``column``, its rows in any order; it may have more of them.
        column: a column of integers, or of lists of K integers.
    Returns:
        (n,) or (n, K), the values of ``column``.
    Raises:
        PipelineError: the table is damaged, has no such column, or lacks some of the examples.
    """
    numbers = [field.name for field in parquet_schema(path) if _holds_integers(field.type)]
    table = read_parquet(path, columns=[name for name in ("example_id", column) if name in numbers])
    if table.num_columns < 2 or table[column].null_count:
        raise PipelineError(
            f"no column {column!r} of whole numbers",
            where=path,
            expected=f"example_id and {column}, in every row",
            remedy="correct `reads:` of the system",
        )
    known, values = table["example_id"].to_numpy(), _values(table[column])
    order = np.argsort(known)
    found = np.searchsorted(known, example_ids, sorter=order).clip(max=len(known) - 1)
    if not (len(known) and np.array_equal(known[order[found]], example_ids)):
        raise PipelineError(
            f"some examples have no {column}",
            where=path,
            expected=f"one row for each of {len(example_ids)} examples",
            remedy=REMAKE,
        )
    return values[order[found]].astype(np.int64)


def _holds_integers(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind.value_type if pa.types.is_fixed_size_list(kind) else kind)


def _values(column: pa.ChunkedArray) -> NDArray[np.integer]:
    if not pa.types.is_fixed_size_list(column.type):
        return column.to_numpy()
    return column.combine_chunks().flatten().to_numpy().reshape(len(column), column.type.list_size)
