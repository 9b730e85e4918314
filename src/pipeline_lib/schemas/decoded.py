"""Texts that a system decoded from points of its latent space."""

import pyarrow as pa

DECODED = pa.schema(
    [
        pa.field("item", pa.int32(), nullable=False),  # 1-based: the path, the draw or the sentence that it belongs to
        pa.field("place", pa.int32(), nullable=False),  # 0-based, within the item
        pa.field("kind", pa.string(), nullable=False),  # point, prior, stretched, input, mean or draw
        pa.field("keep", pa.float64(), nullable=False),  # share of the words that the decoder was shown in training
        pa.field("t", pa.float64()),  # of a point: where it is on its path, 0 to 1
        pa.field("text", pa.string(), nullable=False),  # the decoded text; of an input, the sentence itself
        # the sentence whose encoding it was decoded from: of a reconstruction, and of the ends of a path between
        # sentences
        pa.field("input", pa.string()),
        pa.field("log_p", pa.float64()),  # log p(text | z), nats, the end token counted; null of an input
        pa.field("norm", pa.float64()),  # |z|
        pa.field("norm_before", pa.float64()),  # of a stretched z: |z| before
        pa.field("same_length", pa.bool_()),  # of a reconstruction: as many words as its input
        pa.field("bleu", pa.float64()),  # of a reconstruction: smoothed sentence BLEU-4 to its input
        pa.field("nll_lm", pa.float64()),  # -log p(text) under a language model trained by itself, nats
        pa.field("grammatical", pa.bool_()),  # null where no grammar is known
        # of a grammatical text: shares a topic with the texts that it lies between or should repeat; null without such
        pa.field("topic_agrees", pa.bool_()),
    ]
)
