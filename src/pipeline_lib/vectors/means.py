"""Mean word vectors of many texts."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib.files.scratch import concatenated
from pipeline_lib.text.ragged import Ragged
from pipeline_lib.vectors.space import VectorSpace


class MeanVectors:
    """Means of the known words' vectors of n texts; a text without a known word has zeros.

    The words lie on disk, 4 bytes each, against 4 D bytes a text for the means themselves; memory holds 8 bytes a text.
    ``means[rows]``, for a slice or an array of row numbers, computes (len(rows), D) float32.
    """

    def __init__(self, words: Iterable[pa.ListArray], vectors: VectorSpace) -> None:
        counts = [np.empty(0, np.int64)]  # there may be no text at all

        def known() -> Iterator[NDArray[np.int32]]:
            for lists in words:
                rows, count = _known_rows(lists, vectors.tokens)
                counts.append(count)
                yield rows

        words = concatenated(known(), np.int32)
        self._texts = Ragged.of_lengths(words, np.concatenate(counts))
        self._matrix = vectors.matrix

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, rows: Any, /) -> NDArray[np.float32]:
        from scipy.sparse import csr_array  # costs 0.1 s, which a reader of this module's types need not pay

        texts = self._texts.take(rows)
        share = np.repeat(1 / np.maximum(texts.lengths, 1), texts.lengths).astype(np.float32)
        return csr_array((share, texts.ids, texts.offsets), shape=(len(texts), len(self._matrix))) @ self._matrix

    @property
    def is_empty(self) -> NDArray[np.bool_]:
        """(n,) bool: which texts have no known word."""
        return self._texts.lengths == 0

    @property
    def n_empty(self) -> int:
        """How many texts have no known word."""
        return int(self.is_empty.sum())


class Rearranged:
    """Some of the texts of ``means``, in another order.

    Args:
        row: (m,) integers, the row of ``means`` that each text is.
    """

    def __init__(self, means: MeanVectors, row: NDArray[np.integer]) -> None:
        self._means, self._row = means, row

    def __len__(self) -> int:
        return len(self._row)

    def __getitem__(self, rows: Any, /) -> NDArray[np.float32]:
        return self._means[self._row[rows]]

    @property
    def n_empty(self) -> int:
        """How many texts have no known word."""
        return int(self._means.is_empty[self._row].sum())


def _known_rows(lists: pa.ListArray, tokens: pa.Array) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the vector-matrix rows of all known words, list after list, and how many each list has."""
    rows = pc.index_in(lists.flatten(), value_set=tokens)
    before = np.concatenate([[0], np.cumsum(rows.is_valid().to_numpy(zero_copy_only=False))])
    offsets = lists.offsets.to_numpy() - lists.offsets[0].as_py()
    return rows.drop_null().to_numpy(), np.diff(before[offsets])
