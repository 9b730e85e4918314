"""Points of keywords and texts in two spaces, before and after training."""

import pyarrow as pa

SPACES = ("width", "latent")  # vectors of texts and keywords; distributions and projected keywords
SIDES = ("input", "positive", "negative")


def contrast_space_schema(size: int) -> pa.Schema:
    """Return the schema of points of this many coordinates, those of a smaller space filled up with zeros."""
    return pa.schema(
        [
            pa.field("example_id", pa.int64(), nullable=False),
            pa.field("space", pa.string(), nullable=False),
            pa.field("trained", pa.bool_(), nullable=False),
            pa.field("kind", pa.string(), nullable=False),  # keyword or sentence
            pa.field("side", pa.string(), nullable=False),
            pa.field("point", pa.list_(pa.float32(), size), nullable=False),
        ]
    )
