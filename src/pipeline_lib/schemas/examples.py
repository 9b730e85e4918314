"""Examples: a context and the response to it, tokenised."""

import pyarrow as pa

TURN = "<turn>"  # reserved token that stands between the utterances of a context

EXAMPLES = pa.schema(
    [
        pa.field(
            "example_id", pa.int64(), nullable=False
        ),  # unique within a corpus, over all splits; survives filtering
        pa.field("dialogue_id", pa.string(), nullable=False),
        pa.field("turn", pa.int32(), nullable=False),  # the first of the window
        pa.field("context", pa.string(), nullable=False),  # utterances joined by TURN; empty where windows have none
        pa.field("response", pa.string(), nullable=False),
        pa.field("user", pa.string()),  # who spoke the response
        pa.field("label", pa.int32()),  # the response's label
    ]
)
