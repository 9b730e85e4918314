"""The user who responds in each example, by number and by words of the user's own, and who spoke in the context."""

import pyarrow as pa

UNKNOWN_USER = 0  # of all users who say too little in training


def users_schema(turns: int) -> pa.Schema:
    """Return the schema of a corpus whose contexts have so many turns."""
    return pa.schema(
        [
            pa.field("example_id", pa.int64(), nullable=False),
            pa.field("user", pa.int64(), nullable=False),  # 1-based by activity in training; 0: unknown
            pa.field("floors", pa.list_(pa.int64(), turns), nullable=False),  # 1: spoken by the one who responds
            pa.field("speakers", pa.list_(pa.int64(), turns), nullable=False),  # of these turns, numbered like `user`
        ]
    )


def user_words_schema(words: int) -> pa.Schema:
    """Return the schema of a table with so many words of a user."""
    return pa.schema(
        [
            pa.field("example_id", pa.int64(), nullable=False),
            pa.field("profile", pa.list_(pa.int64(), words), nullable=False),  # ids of words; padding: there is none
        ]
    )
