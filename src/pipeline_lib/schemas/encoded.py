"""Examples as token ids."""

import pyarrow as pa

# in an Arrow file, not Parquet: training maps it into memory
ENCODED = pa.schema(
    [
        pa.field("example_id", pa.int64(), nullable=False),
        pa.field("context", pa.large_list(pa.int32()), nullable=False),  # token ids; no start, no end
        pa.field("response", pa.large_list(pa.int32()), nullable=False),
    ]
)
