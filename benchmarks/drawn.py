"""Vocabularies, texts and dialogues of random words, for benchmarks of what needs no meaning."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.text.ragged import Ragged
from pipeline_lib.text.words import Words

TURN = 4  # the token between the turns of a context; words follow it


def vocabulary(size: int, vector: int | None) -> Words:
    """Make a vocabulary with random vectors of so many numbers, or with none."""
    columns = {"token_id": range(size), "token": ["<turn>" if i == TURN else str(i) for i in range(size)]}
    if vector is None:
        return Words(pa.table(columns))
    drawn = np.random.default_rng(0).normal(0, 0.3, (size, vector)).astype(np.float32)
    return Words(pa.table(columns | {"vector": pa.array(list(drawn), pa.list_(pa.float32(), vector))}))


def log_normal(
    random: np.random.Generator, shape: int | tuple[int, int], median: float, spread: float, longest: int
) -> NDArray[np.int64]:
    """Draw numbers of words, at least one."""
    return np.exp(random.normal(np.log(median), spread, shape)).round().clip(1, longest).astype(np.int64)


def texts(random: np.random.Generator, lengths: NDArray[np.int64], size: int) -> Ragged:
    """Draw a text of each of the (N,) lengths from a vocabulary of a size."""
    return Ragged.of_lengths(random.integers(TURN + 1, size, lengths.sum()).astype(np.int32), lengths)


def contexts(random: np.random.Generator, lengths: NDArray[np.int64], size: int) -> Ragged:
    """Draw contexts whose turns have the (N, turns) lengths."""
    between = np.arange(lengths.shape[1] - 1)
    drawn = texts(random, lengths.sum(1) + len(between), size)
    drawn.ids[drawn.offsets[:-1, None] + lengths[:, :-1].cumsum(1) + between] = TURN
    return drawn
