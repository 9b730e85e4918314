"""The negative of every example: a text that is like it and means something else."""

import pyarrow as pa

CONTRASTS = pa.schema(
    [
        pa.field("example_id", pa.int64(), nullable=False),
        pa.field("negative", pa.string(), nullable=False),  # tokens joined by spaces
        pa.field("source", pa.string(), nullable=False),  # labelled, mined or drawn
        pa.field("similarity", pa.float32(), nullable=False),  # cosine of TF-IDF vectors of context and negative
        pa.field("keyword_in", pa.string(), nullable=False),  # of the context
        pa.field("keyword_out", pa.string(), nullable=False),  # of the response
        pa.field("keyword_negative", pa.string(), nullable=False),
    ]
)


def encoded_contrasts(negative: int, keywords: int) -> pa.Schema:
    """Return the schema of the same for a network, of negatives of so many units and so many keywords."""
    return pa.schema(
        [
            pa.field("example_id", pa.int64(), nullable=False),
            pa.field("negative", pa.list_(pa.int64(), negative), nullable=False),  # units, filled up with padding
            pa.field("keywords", pa.list_(pa.int64(), keywords), nullable=False),  # first unit of each, best first
            pa.field("nodes", pa.list_(pa.int64(), 3), nullable=False),  # of context, response and negative
        ]
    )


def graph_schema(neighbours: int, size: int) -> pa.Schema:
    """Return the schema of a graph of keywords, each with so many neighbours at most and a vector of this size."""
    lists = [pa.field(name, pa.list_(pa.int64(), neighbours), nullable=False) for name in GRAPH_LISTS]
    vector = pa.field("vector", pa.list_(pa.float32(), size), nullable=False)
    return pa.schema([pa.field("keyword", pa.string(), nullable=False), vector, *lists])


GRAPH_LISTS = ("positive", "negative", "impostors")  # rows of other keywords, filled up with -1
