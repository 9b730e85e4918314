"""Word vectors."""

import pyarrow as pa


def vectors_schema(dimension: int) -> pa.Schema:
    """Word vectors of ``dimension`` float32 each; file metadata ``source`` and ``sha256`` say where they came from."""
    return pa.schema(
        [
            pa.field("token", pa.string(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False),
        ]
    )
