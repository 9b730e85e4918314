"""Counts of tokens."""

import pyarrow as pa

TOKENS = pa.schema(
    [
        pa.field("token", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),  # over all splits
        pa.field("train_count", pa.int64(), nullable=False),
    ]
)
