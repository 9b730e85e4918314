"""Token ids and embeddings: the specials, then the tokens of the filtered training split, most frequent first."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.text.ragged import flatten

PADDING, UNKNOWN, START, END = "<pad>", "<unk>", "<s>", "</s>"


SPECIALS = (PADDING, UNKNOWN, START, END)  # their ids are 0, 1, 2, 3


PAD_ID, UNKNOWN_ID, START_ID, END_ID = range(4)


class Vocabulary:
    """Tokens, ids and embeddings of one run.

    Args:
        table: of `vocabulary_schema`, ids 0.. in order.
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._tokens = table["token"].combine_chunks()

    @classmethod
    def read(cls, path: Path) -> "Vocabulary":
        """Read a file of `vocabulary_schema`.

        Raises:
            PipelineError: the file is damaged or its ids are not 0.. after the specials.
        """
        table = read_parquet(path)
        ids = table["token_id"].to_numpy() if "token_id" in table.column_names else np.empty(0)
        specials = table["token"][: len(SPECIALS)].to_pylist() if "token" in table.column_names else []
        if specials != list(SPECIALS) or not np.array_equal(ids, np.arange(len(table))):
            raise PipelineError(
                "not a vocabulary",
                where=path,
                expected=f"token_id 0, 1, 2 ... and the tokens {' '.join(SPECIALS)} first",
                remedy="delete the file and run the same command again; it will be remade",
            )
        return cls(table)

    def __len__(self) -> int:
        return len(self._table)

    @cached_property
    def tokens(self) -> list[str]:
        """(V) every token, by id."""
        return self._tokens.to_pylist()

    @cached_property
    def matrix(self) -> np.ndarray:
        """(V, E) float32: embeddings; zeros for the specials and for tokens without a vector."""
        return _vectors(self._table["vector"])

    def encode(self, texts: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
        """Ids of many texts, one after the other.

        Args:
            texts: (N) string: tokens joined by one space.
        Returns:
            ids: (T) int32 over all texts; the id of ``<unk>`` for a token outside the vocabulary. No start, no end.
            offsets: (N + 1) int64; the ids of text n are ``ids[offsets[n]:offsets[n + 1]]``.
        """
        tokens, offsets = flatten(texts)
        ids = pc.index_in(tokens, self._tokens).fill_null(SPECIALS.index(UNKNOWN))
        return ids.to_numpy(zero_copy_only=False).astype(np.int32, copy=False), offsets

    def decode(self, ids: Sequence[int] | np.ndarray) -> list[str]:
        """Tokens of ``ids``."""
        return [self.tokens[i] for i in ids]


def _vectors(column: pa.ChunkedArray) -> np.ndarray:
    flat = pc.list_flatten(column.combine_chunks()).to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), column.type.list_size)
