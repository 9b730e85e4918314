"""The negative of every example: a text that is like it and means something else."""

import pyarrow as pa

CONTRASTS = pa.schema(
    [
        pa.field("example_id", pa.int64(), nullable=False),
        pa.field("negative", pa.string(), nullable=False),  # tokens joined by spaces
        pa.field("source", pa.string(), nullable=False),  # labelled, mined or drawn
        pa.field("similarity", pa.float32(), nullable=False),  # cosine of TF-IDF vectors of context and negative
        pa.field("keyword_in", pa.string(), nullable=False),  # of the context
        pa.field("keyword_out", pa.string(), nullable=False),  # of the response
        pa.field("keyword_negative", pa.string(), nullable=False),
    ]
)
