"""Responses of a system that is told other keywords of a context."""

import pyarrow as pa

SOURCES = ("textrank", "random", "none", "reference")

KEYWORD_CHOICE = pa.schema(
    [
        pa.field("example_id", pa.int64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),  # of the keyword
        pa.field("keyword", pa.string()),  # null: none
        pa.field("context", pa.string(), nullable=False),
        pa.field("reference", pa.string(), nullable=False),
        pa.field("response", pa.string(), nullable=False),
    ]
)
"""A row for each example and source."""
