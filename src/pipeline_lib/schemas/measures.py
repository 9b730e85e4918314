"""Values that an analysis measured: of the system, and of what it compares the system with."""

import pyarrow as pa

SYSTEM = "{system}"  # in a row's name: the label of the system of the analysis

MEASURES = pa.schema(
    [
        pa.field("row", pa.string(), nullable=False),  # with SYSTEM in it, or the same for all systems of a run
        pa.field("column", pa.string(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("error", pa.float64()),  # standard error over the items; null where there is none
        pa.field("n", pa.int64(), nullable=False),  # items
    ]
)
