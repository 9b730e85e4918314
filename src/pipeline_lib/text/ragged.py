"""Many texts as flat tokens, or ids of tokens, and the offsets at which each begins."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def flatten(texts: pa.Array | pa.ChunkedArray) -> tuple[pa.Array, np.ndarray]:
    """Flatten the tokens of many texts into one array.

    Args:
        texts: (N) string: tokens joined by one space.
    Returns:
        tokens: (T) string.
        offsets: (N + 1) int64; text n has the tokens ``tokens[offsets[n]:offsets[n + 1]]``, none if it is empty.
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    lists = pc.split_pattern(texts.cast(pa.large_string()).fill_null(""), " ")
    offsets = lists.offsets.to_numpy().astype(np.int64)
    tokens = lists.values.slice(offsets[0], offsets[-1] - offsets[0]).cast(pa.string())
    offsets -= offsets[0]
    empty = pc.equal(tokens, "").to_numpy(zero_copy_only=False)  # an empty text is split into one empty token
    if not empty.any():
        return tokens, offsets
    return tokens.filter(pa.array(~empty)), np.concatenate([[0], np.cumsum(~empty)])[offsets]


def keep_tokens(texts: pa.Array, known: pa.Array) -> pa.Array:
    """Return ``texts`` (N, string) without the tokens that are not in ``known``."""
    tokens, offsets = flatten(texts)
    inside = pc.is_in(tokens, known)
    running = np.concatenate([[0], np.cumsum(inside.to_numpy(zero_copy_only=False))])
    return join(tokens.filter(inside), running[offsets])


def join(tokens: pa.Array, offsets: np.ndarray) -> pa.Array:
    """Join tokens into (N) texts by (N + 1) offsets: the inverse of `flatten`."""
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), tokens), " ")


def lengths_with_end(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Count the tokens of each text (N, string), its end token included: (N) int32."""
    return pa.array(np.diff(flatten(texts)[1]) + 1, pa.int32())


def count_tokens(tokens: pa.Array) -> Counter[str]:
    """Count how often each of ``tokens`` (T, string) occurs."""
    counted = pc.value_counts(tokens)
    pairs = zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
    return Counter(dict(pairs))


@dataclass(frozen=True)
class Ragged:
    """N texts as token ids, one after the other.

    Attributes:
        ids: (T,) integers; int32, and perhaps memory-mapped, where a file holds them.
        offsets: (N + 1,) int64; text n has the ids ``ids[offsets[n]:offsets[n + 1]]``.
    """

    ids: NDArray[np.integer]
    offsets: NDArray[np.int64]

    @classmethod
    def of_lengths(cls, ids: NDArray[np.integer], lengths: NDArray[np.integer]) -> "Ragged":
        return cls(ids, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N,) tokens of each text."""
        return np.diff(self.offsets)

    def lengths_of(self, rows: NDArray[np.integer]) -> NDArray[np.int64]:
        """Count the tokens of the texts ``rows``: (B,)."""
        return self.offsets[rows + 1] - self.offsets[rows]

    @property
    def text(self) -> NDArray[np.int64]:
        """(T,) the text of each token."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def keep(self, mask: NDArray[np.bool_]) -> "Ragged":
        """Keep only the tokens where ``mask`` (T,) holds."""
        if mask.all():
            return self
        return Ragged.of_lengths(self.ids[mask], np.bincount(self.text[mask], minlength=len(self)))

    def followed_by(self, token: int) -> "Ragged":
        """Return the same texts with ``token`` after each."""
        return Ragged(np.insert(self.ids, self.offsets[1:], token), self.offsets + np.arange(len(self.offsets)))

    def take(self, rows: NDArray[np.integer] | slice) -> "Ragged":
        """Return the texts ``rows``, in that order."""
        first, lengths = self.offsets[:-1][rows], self.offsets[1:][rows] - self.offsets[:-1][rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        return Ragged(self.ids[np.repeat(first - offsets[:-1], lengths) + np.arange(offsets[-1])], offsets)

    def padded(self, rows: NDArray[np.integer], pad: int) -> NDArray[np.int64]:
        """Return (B, longest), the texts ``rows``, each filled up with ``pad``."""
        lengths = self.lengths_of(rows)
        place = np.arange(lengths.max())
        inside = place < lengths[:, None]
        positions = np.where(inside, self.offsets[rows][:, None] + place, 0)
        return np.where(inside, self.ids[positions], pad).astype(np.int64)
