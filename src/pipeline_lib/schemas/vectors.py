"""Word vectors."""

import pyarrow as pa


def vectors_schema(dimension: int) -> pa.Schema:
    """Describe word vectors of ``dimension`` float32; metadata ``source`` and ``sha256`` give the file of origin."""
    return pa.schema(
        [
            pa.field("token", pa.string(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False),
        ]
    )
