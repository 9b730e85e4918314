"""Sentences whose last words a system imputed, each beside a true sentence of the same length."""

import pyarrow as pa

IMPUTATIONS = pa.schema(
    [
        pa.field("pair", pa.int32(), nullable=False),  # 0-based, in an order drawn by the seed of the run
        pa.field("beside", pa.string(), nullable=False),  # another sentence with as many words, left as it is
        pa.field("prefix", pa.string(), nullable=False),  # the known words; may be empty
        pa.field("ending", pa.string(), nullable=False),  # the true last words, which were hidden
        pa.field("imputed", pa.string(), nullable=False),  # the last words that the system found, as many
        # of the prefix with the imputed words; null without a judge, and of texts of no grammar
        pa.field("grammatical", pa.bool_()),
        pa.field("topic_agrees", pa.bool_()),  # with the true sentence; null of one that is not grammatical
        pa.field("nll_lm", pa.float32()),  # -log p under the judge, nats, end token counted
    ]
)
