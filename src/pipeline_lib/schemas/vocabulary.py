"""Token ids and their embeddings."""

import pyarrow as pa


def vocabulary_schema(dimension: int) -> pa.Schema:
    """Token ids 0.. in order with their (frozen) embedding; a token without a vector has ``known`` false and zeros."""
    return pa.schema(
        [
            pa.field("token_id", pa.int32(), nullable=False),
            pa.field("token", pa.string(), nullable=False),
            pa.field("count", pa.int64(), nullable=False),  # in the filtered training split
            pa.field("known", pa.bool_(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False),
        ]
    )
