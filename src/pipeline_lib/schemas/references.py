"""Further references, beside the response that an example has."""

import pyarrow as pa

REFERENCES = pa.schema(
    [
        pa.field("example_id", pa.int64(), nullable=False),
        pa.field("reference", pa.string(), nullable=False),  # tokens joined by one space; several rows of an example
    ]
)
