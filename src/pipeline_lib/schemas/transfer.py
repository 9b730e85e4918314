"""Responses to one context as each of many users."""

import pyarrow as pa

TRANSFER = pa.schema(
    [
        pa.field("case", pa.int32(), nullable=False),  # 0-based number of the context
        pa.field("example_id", pa.int64(), nullable=False),
        pa.field("context", pa.string(), nullable=False),
        pa.field("reference", pa.string(), nullable=False),
        pa.field("speaker", pa.string()),  # who gave the reference
        pa.field("user", pa.int64(), nullable=False),  # as whom the system responds; 1 says most in training
        pa.field("name", pa.string(), nullable=False),  # of that user
        pa.field("label", pa.int32()),  # of that user, where the corpus numbers them
        pa.field("present", pa.bool_(), nullable=False),  # that user speaks in the context or gives the reference
        pa.field("response", pa.string(), nullable=False),
    ]
)
