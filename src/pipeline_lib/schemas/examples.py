"""Examples: a context and the response to it, tokenised."""

import pyarrow as pa

EXAMPLES = pa.schema(
    [
        pa.field(
            "example_id", pa.int64(), nullable=False
        ),  # unique within a corpus, over all splits; survives filtering
        pa.field("dialogue_id", pa.string(), nullable=False),
        pa.field("turn", pa.int32(), nullable=False),  # the first of the window
        pa.field("context", pa.string(), nullable=False),  # turns parted by `<turn>`; empty where there are none
        pa.field("response", pa.string(), nullable=False),
        pa.field("user", pa.string()),  # who spoke the response
        pa.field("label", pa.int32()),  # the response's label
    ]
)
