"""Units: how texts become ids and back, and with which embeddings a system begins.

`Words` are the tokens of a corpus, as its tokeniser made them (characters, if that is what it cuts); `Pieces` are parts
of them.
"""

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from pipeline_lib.stage.kinds import load
from pipeline_lib.text.ids import Ids
from pipeline_lib.text.ragged import Ragged


class Units(Protocol):
    """The units that a system reads and writes.

    Attributes:
        ids: ids of the tokens that are not words.
        embeddings: (V, E) float32 to begin with; None: the system learns its own.
    """

    @property
    def ids(self) -> Ids: ...

    @property
    def embeddings(self) -> np.ndarray | None: ...

    def __len__(self) -> int: ...

    def encode(self, texts: pa.Array | pa.ChunkedArray) -> Ragged:
        """Return the int32 ids of (N) texts of tokens joined by one space; no start, no end."""
        ...

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Return the text of ``ids``: tokens joined by one space, as metrics read them."""
        ...


def written(ids: Sequence[int], special: Ids) -> list[int]:
    """Return the ids of a decoded text up to its end token, or to padding."""
    return list(takewhile(lambda token: token not in (special.end, special.pad), ids))


def read_units(path: Path) -> Units:
    """Read the vocabulary of a system.

    Args:
        path: of a file named after the module of this folder that reads it: ``words.parquet`` or ``pieces.txt``.
    Raises:
        PipelineError: the file is damaged or not such a vocabulary.
    """
    kind = path.stem.capitalize()
    units: Units = getattr(load("pipeline_lib.text", path.stem, offers=kind), kind).read(path)
    return units
