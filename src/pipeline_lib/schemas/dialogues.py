"""Utterances of a corpus, with the split of each."""

import pyarrow as pa

SPLITS = ("train", "validation", "test")
HELD_OUT = SPLITS[1:]


DIALOGUES = pa.schema(
    [
        pa.field("dialogue_id", pa.string(), nullable=False),
        pa.field("turn", pa.int32(), nullable=False),  # 0-based position in the dialogue
        pa.field("speaker", pa.string()),
        pa.field("text", pa.string(), nullable=False),  # as the corpus has it: cased, not tokenised
        pa.field("split", pa.string(), nullable=False),  # one of SPLITS
        pa.field("label", pa.int32()),
    ]
)
