"""Paired tests between systems."""

import pyarrow as pa

SIGNIFICANCE = pa.schema(
    [
        pa.field("corpus", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("best", pa.string(), nullable=False),  # the system that leads this column
        pa.field("other", pa.string(), nullable=False),
        pa.field("runner_up", pa.bool_(), nullable=False),  # ``other`` is the best of the others
        pa.field("difference", pa.float64(), nullable=False),  # best minus other, each averaged over seeds
        pa.field("p", pa.float64(), nullable=False),
        pa.field("p_adjusted", pa.float64(), nullable=False),  # Holm, over the others of this column
        pa.field("significant", pa.bool_(), nullable=False),
        pa.field("n", pa.int64(), nullable=False),  # items
        pa.field("method", pa.string(), nullable=False),
    ]
)
