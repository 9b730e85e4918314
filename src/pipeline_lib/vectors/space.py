"""Word vectors as they were stored."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.errors import REMAKE, PipelineError
from pipeline_lib.files.formats import metadata_of, read_parquet
from pipeline_lib.schemas.vectors import vectors_schema


@dataclass(frozen=True)
class VectorSpace:
    """Tokens and their vectors.

    Attributes:
        tokens: (V,) string, unique.
        matrix: (V, D) float32.
        label: names them in signatures: source@first eight digits of its sha256.
    """

    tokens: pa.Array
    matrix: NDArray[np.float32]
    label: str

    @classmethod
    def read(cls, path: Path) -> "VectorSpace":
        """Read word vectors of any dimension (`vectors_schema`); metadata ``source`` and ``sha256`` become the label.

        Raises:
            PipelineError: the file is missing, damaged, empty or holds something else, or a value is not finite.
        """
        table = read_parquet(path)
        metadata = metadata_of(table)
        kind = table.schema.field("vector").type if "vector" in table.column_names else pa.null()
        size = kind.list_size if pa.types.is_fixed_size_list(kind) else 1
        names = [name for name in ("token", "vector") if name in table.column_names]
        fits = table.select(names).schema.equals(vectors_schema(size)) and {"source", "sha256"} <= metadata.keys()
        if not (fits and len(table)):
            columns = ", ".join(f"{field.name} ({field.type})" for field in table.schema)
            raise PipelineError(
                f"not a file of word vectors: {len(table)} rows of {columns}; metadata {sorted(metadata)}",
                where=path,
                expected="rows of token (string), vector (fixed-size list of float32); metadata source, sha256",
                remedy=REMAKE,
            )
        matrix = table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, size)
        if not np.isfinite(matrix).all():
            row = int(np.flatnonzero(~np.isfinite(matrix).all(axis=1))[0])
            raise PipelineError(
                "a vector holds a value that is not finite",
                where=f"{path}, token {table['token'][row].as_py()!r}",
                expected="finite numbers",
                remedy="correct the embedding file, or remove that line",
            )
        return cls(table["token"].combine_chunks(), matrix, f"{metadata['source']}@{metadata['sha256'][:8]}")
