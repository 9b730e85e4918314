"""Scores in long form."""

import pyarrow as pa

SCORES = pa.schema(
    [
        pa.field("corpus", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("system", pa.string(), nullable=False),
        pa.field("seed", pa.int32()),
        pa.field("selection", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64()),  # null where undefined
        pa.field("low", pa.float64()),  # 95 % interval over items (bootstrap); null for distinct and group recovery
        pa.field("high", pa.float64()),
        pa.field("n", pa.int64(), nullable=False),
        pa.field("n_empty", pa.int64(), nullable=False),
        pa.field("n_oov", pa.int64(), nullable=False),  # items where a side has no word with a vector
        pa.field("signature", pa.string(), nullable=False),
    ]
)
