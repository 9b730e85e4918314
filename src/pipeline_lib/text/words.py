"""The words of a corpus as ids."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.errors import REMAKE, PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.text.ids import SPECIALS, Ids
from pipeline_lib.text.ragged import Ragged, flatten


class Words:
    """The words of a corpus: the specials, then the tokens of the filtered training split, most frequent first.

    Args:
        table: a table of `vocabulary_schema`, ids 0.. in order.
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._tokens = table["token"].combine_chunks()

    @classmethod
    def read(cls, path: Path) -> "Words":
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
                remedy=REMAKE,
            )
        return cls(table)

    def __len__(self) -> int:
        return len(self._table)

    @cached_property
    def tokens(self) -> list[str]:
        """(V) every token, by id."""
        return self._tokens.to_pylist()

    @property
    def ids(self) -> Ids:
        return Ids()

    @cached_property
    def embeddings(self) -> np.ndarray | None:
        """(V, E) float32, zeros for the specials and for tokens without a vector; None where there are no vectors."""
        return _vectors(self._table["vector"]) if "vector" in self._table.column_names else None

    def encode(self, texts: pa.Array | pa.ChunkedArray) -> Ragged:
        """Turn texts into ids, a token outside the vocabulary into that of ``<unk>``.

        Args:
            texts: (N) string: tokens joined by one space.
        Returns:
            int32 ids; no start, no end.
        """
        tokens, offsets = flatten(texts)
        ids = pc.index_in(tokens, self._tokens).fill_null(self.ids.unknown)
        return Ragged(ids.to_numpy(zero_copy_only=False).astype(np.int32, copy=False), offsets)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Join the tokens of ``ids`` by one space."""
        return " ".join([self.tokens[i] for i in ids])


def _vectors(column: pa.ChunkedArray) -> np.ndarray:
    flat = pc.list_flatten(column.combine_chunks()).to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), column.type.list_size)
