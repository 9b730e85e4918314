"""The words of texts that units cannot tell apart, so that one can be copied as it was written."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.text.ids import UNKNOWN
from pipeline_lib.text.ragged import Ragged, flatten
from pipeline_lib.text.units import Units


class UnknownWords:
    """The unknown words of (N) texts of tokens joined by one space.

    Units encode an unknown token as one id, that of `<unk>`: the n-th such id of a text is its n-th unknown token. A
    token that is written `<unk>` is none of them: the word that stood there was lost before.
    """

    def __init__(self, texts: pa.Array | pa.ChunkedArray, units: Units) -> None:
        self._units = units
        tokens, offsets = flatten(texts)
        distinct = tokens.dictionary_encode()
        cut = units.encode(distinct.dictionary)
        alone = cut.offsets[:-1][cut.lengths == 1]
        unknown = np.zeros(len(cut), bool)
        unknown[cut.lengths == 1] = cut.ids[alone] == units.ids.unknown
        index = distinct.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        self._tokens, self._found = distinct.dictionary, Ragged(index, offsets).keep(unknown[index])

    def __getitem__(self, text: int) -> list[str]:
        """List the unknown words of a text, each once, in the order of their first occurrence."""
        return list(dict.fromkeys(token for token in self._occurring(text) if token != UNKNOWN))

    def numbered(self, rows: NDArray[np.integer], ids: NDArray[np.integer]) -> NDArray[np.int64] | None:
        """Tell which unknown word stands where.

        Args:
            rows: (B,) texts.
            ids: (B, S), as they are encoded; what is beyond a text is not unknown.
        Returns:
            (B, S), the place of the word in the list of its text, or -1; None where no text has an unknown word.
        """
        numbers = np.full(ids.shape, -1, np.int64)
        for row, text in enumerate(rows):
            place = {token: number for number, token in enumerate(self[text])}
            numbers[row, ids[row] == self._units.ids.unknown] = [place.get(one, -1) for one in self._occurring(text)]
        return numbers if (numbers >= 0).any() else None

    def _occurring(self, text: int) -> list[str]:
        first, last = self._found.offsets[text : text + 2]
        return [self._words[i] for i in self._found.ids[first:last]]

    @cached_property
    def _words(self) -> Sequence[str]:
        words: list[str] = self._tokens.to_pylist()
        return words
