"""Keywords of contexts and responses."""

import pyarrow as pa

KEYWORDS = pa.schema(
    [
        pa.field("example_id", pa.int64(), nullable=False),
        pa.field("context_keywords", pa.list_(pa.string()), nullable=False),  # best first
        pa.field("response_keywords", pa.list_(pa.string()), nullable=False),
    ]
)
