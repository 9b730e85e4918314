"""The group of each example."""

import pyarrow as pa

CLUSTERS = pa.schema(
    [
        pa.field("split", pa.string(), nullable=False),
        pa.field("example_id", pa.int64(), nullable=False),
        pa.field("group", pa.int16(), nullable=False),  # 0-based
    ]
)
