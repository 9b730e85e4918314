"""The Arrow schemas of what the analyses write, as `pipeline_lib.schema` has those of the stages before them.

They stand apart because a change of `pipeline_lib.schema` trains every system again.
"""

import pyarrow as pa

DISTANCES = pa.schema(
    [
        pa.field("batch", pa.int32(), nullable=False),  # 0-based, in training order
        pa.field("inner", pa.float64()),  # mean cosine of [c; z] over pairs of one group; null where there is none
        pa.field("inter", pa.float64()),  # the same over pairs of two groups
        pa.field("inner_pairs", pa.int64(), nullable=False),
        pa.field("inter_pairs", pa.int64(), nullable=False),
    ]
)


def latents(dimension: int) -> pa.Schema:
    """What a system makes of each pair of a split: its group, where the system has any, and where its z lies."""
    return pa.schema(
        [
            pa.field("pair_id", pa.int64(), nullable=False),
            pa.field("group", pa.int16()),  # 0-based
            pa.field("label", pa.int32()),  # the response's known latent group, where there is one
            pa.field("posterior_mean", pa.list_(pa.float32(), dimension), nullable=False),
        ]
    )
