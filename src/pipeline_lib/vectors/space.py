"""Word vectors as they were stored."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.vectors import vectors_schema


class WordVectors(NamedTuple):
    """Tokens and their vectors.

    Attributes:
        tokens: (V,) strings.
        matrix: (V, D) float32.
    """

    tokens: pa.Array
    matrix: NDArray[np.float32]


def read_vectors(path: Path) -> WordVectors:
    """Read word vectors of any dimension (`vectors_schema`).

    Raises:
        PipelineError: the file is missing, damaged, empty or holds something else.
    """
    table = read_parquet(path)
    kind = table.schema.field("vector").type if "vector" in table.column_names else pa.null()
    size = kind.list_size if pa.types.is_fixed_size_list(kind) else 1
    if table.select([c for c in ("token", "vector") if c in table.column_names]).schema != vectors_schema(size):
        raise PipelineError(
            f"no word vectors: columns are {', '.join(f'{f.name} ({f.type})' for f in table.schema)}",
            where=path,
            expected="token (string), vector (fixed-size list of float32)",
            remedy="delete the file and run the same command again; it will be remade",
        )
    matrix = table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, size)
    return WordVectors(table["token"].combine_chunks(), matrix)
