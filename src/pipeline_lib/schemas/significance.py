"""Tests between systems."""

import pyarrow as pa

SIGNIFICANCE = pa.schema(
    [
        pa.field("corpus", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("best", pa.string(), nullable=False),  # the system that leads this column
        pa.field("other", pa.string(), nullable=False),
        pa.field("runner_up", pa.bool_(), nullable=False),  # ``other`` is the best of the others
        pa.field("difference", pa.float64(), nullable=False),  # best minus other, each averaged over runs
        pa.field("runs", pa.int32(), nullable=False),  # of each system
        pa.field("se_runs", pa.float64()),  # standard error of the difference over runs; null where they do not differ
        pa.field("se_items", pa.float64(), nullable=False),  # standard error of the difference over items
        pa.field("freedom", pa.float64()),  # degrees of freedom of se_runs
        pa.field("p", pa.float64(), nullable=False),  # of these two; the table corrects, over all its columns
        pa.field("between", pa.string(), nullable=False),  # systems; models: these trained models alone
        pa.field("n", pa.int64(), nullable=False),  # items
        pa.field("method", pa.string(), nullable=False),
    ]
)
