"""Contexts with contradictory responses, and their neighbours."""

import pyarrow as pa

CASES = pa.schema(
    [
        pa.field("case", pa.int32(), nullable=False),  # 1-based
        pa.field("split", pa.string(), nullable=False),
        pa.field("context", pa.string(), nullable=False),  # of train: the case itself; else one of its nearest
        # cosine of mean word vectors; of train: between the responses, mean over pairs; else: with the case's context
        pa.field("similarity", pa.float64(), nullable=False),
        pa.field(
            "example_id", pa.int64(), nullable=False
        ),  # the first example with this context (and response, of train)
        pa.field(
            "response", pa.string(), nullable=False
        ),  # of train: each different one; else that example's reference
        pa.field("count", pa.int64(), nullable=False),  # examples of this split with this context and response
    ]
)
