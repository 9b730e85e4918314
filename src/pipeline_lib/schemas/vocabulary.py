"""Token ids and their embeddings."""

import pyarrow as pa


def vocabulary_schema(dimension: int | None) -> pa.Schema:
    """Describe token ids 0.. in order with their (frozen) embedding.

    A token without a vector has ``known`` false and zeros.

    Without a ``dimension`` there are no vectors, and every token but the reserved ones is ``known``.
    """
    fields = [
        pa.field("token_id", pa.int32(), nullable=False),
        pa.field("token", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),  # in the filtered training split
        pa.field("known", pa.bool_(), nullable=False),
    ]
    vector = [] if dimension is None else [pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False)]
    return pa.schema(fields + vector)
