"""What each user of a corpus with speakers said in training."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.files.formats import read_parquet
from pipeline_lib.files.side_tables import joined
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.users import UNKNOWN_USER


@dataclass(frozen=True)
class Spoken:
    """Training utterances of known users: ``texts`` (N) of space-joined tokens, ``user`` (N,) int64 from 1."""

    texts: pa.Array
    user: NDArray[np.int64]

    @classmethod
    def read(cls, users: Path, train: Path) -> "Spoken":
        """Read a file of `users_schema` and the training examples (`EXAMPLES`)."""
        examples = read_parquet(train, EXAMPLES, ["example_id", "response"])
        user = joined(examples["example_id"].to_numpy(), users, "user")
        known = user != UNKNOWN_USER
        return cls(examples["response"].combine_chunks().filter(pa.array(known)), user[known])
