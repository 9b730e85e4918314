"""The users of a corpus with speakers: who responds in each example, and what each user said in training."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.users import UNKNOWN_USER


@dataclass(frozen=True)
class Spoken:
    """Training utterances of known users: ``texts`` (N) of space-joined tokens, ``user`` (N,) int64 from 1.

    ``responding`` is the user of each example by its id, `UNKNOWN_USER` for all who said too little.
    """

    texts: pa.Array
    user: NDArray[np.int64]
    responding: dict[int, int]

    @classmethod
    def read(cls, users: Path, train: Path) -> "Spoken":
        """Read a file of `users_schema` and the training examples (`EXAMPLES`)."""
        numbers = read_parquet(users, columns=["example_id", "user"])
        responding = dict(zip(numbers["example_id"].to_pylist(), numbers["user"].to_pylist(), strict=True))
        examples = read_parquet(train, EXAMPLES, ["example_id", "response"])
        user = np.array([responding[example] for example in examples["example_id"].to_pylist()], np.int64)
        known = user != UNKNOWN_USER
        return cls(examples["response"].combine_chunks().filter(pa.array(known)), user[known], responding)

    def of(self, examples: pa.ChunkedArray) -> NDArray[np.int64]:
        """Return who responds in each of (B) examples, (B,)."""
        return np.array([self.responding[example] for example in examples.to_pylist()], np.int64)
