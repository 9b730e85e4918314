"""The latent variables of a trained system."""

import pyarrow as pa

DISTANCES = pa.schema(
    [
        pa.field("batch", pa.int32(), nullable=False),  # 0-based, in training order
        pa.field("inner", pa.float64()),  # mean cosine of [c; z] over examples of one group; null where there is none
        pa.field("inter", pa.float64()),  # the same over examples of two groups
        pa.field("inner_pairs", pa.int64(), nullable=False),
        pa.field("inter_pairs", pa.int64(), nullable=False),
    ]
)


def latents_schema(dimension: int) -> pa.Schema:
    """Describe what a system makes of each example: its group, where the system has any, and its z."""
    return pa.schema(
        [
            pa.field("example_id", pa.int64(), nullable=False),
            pa.field("group", pa.int16()),  # 0-based
            pa.field("label", pa.int32()),  # the response's known latent group, where there is one
            pa.field("posterior_mean", pa.list_(pa.float32(), dimension), nullable=False),
        ]
    )
