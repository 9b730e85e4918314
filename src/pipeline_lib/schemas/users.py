"""The user who responds in each example, as a number, and who spoke each turn of the context."""

import pyarrow as pa

UNKNOWN_USER = 0  # of all users who say too little in training


def users_schema(turns: int) -> pa.Schema:
    """Return the schema of a corpus whose contexts have so many turns."""
    return pa.schema(
        [
            pa.field("example_id", pa.int64(), nullable=False),
            pa.field("user", pa.int64(), nullable=False),  # 1-based by activity in training; 0: unknown
            pa.field("floors", pa.list_(pa.int64(), turns), nullable=False),  # 1: spoken by the one who responds
        ]
    )
