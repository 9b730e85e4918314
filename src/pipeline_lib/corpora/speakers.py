"""Neighbouring rows of one speaker as one turn, as in scripts, where a stage direction divides a speech."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

JOINED = "rows joined with the one before them, of the same speaker"  # name of the count


def joined(batches: Iterator[pa.RecordBatch], skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Join the neighbouring rows of one dialogue that have one speaker.

    Their texts follow one another with a space between; later turns are renumbered. Rows without a speaker, and rows
    with a gap between their turn numbers, stay apart.

    Args:
        batches: of `DIALOGUES`, each of whole dialogues.
        skipped: counts the rows that are joined with the one before them.
    """
    for batch in batches:
        goes_on = _goes_on(batch)
        skipped[JOINED] += int(goes_on.sum())
        yield _joined(batch, goes_on)


def _goes_on(batch: pa.RecordBatch) -> NDArray[np.bool_]:
    """Mark the rows that continue the turn of the row before: (N) bool."""
    if not len(batch):
        return np.zeros(0, bool)
    same = [
        pc.equal(column.slice(1), column.slice(0, len(batch) - 1))
        for column in (batch["dialogue_id"], batch["speaker"])
    ]
    near = np.diff(batch["turn"].to_numpy()) == 1
    return np.append(False, pc.and_(*same).fill_null(False).to_numpy(zero_copy_only=False) & near)


def _joined(batch: pa.RecordBatch, goes_on: NDArray[np.bool_]) -> pa.RecordBatch:
    starts = np.flatnonzero(~goes_on)
    first = batch.take(pa.array(starts))
    of_turn = pa.ListArray.from_arrays(pa.array(np.append(starts, len(batch)), pa.int32()), batch["text"])
    before = np.cumsum(goes_on)
    dialogue = first["dialogue_id"].to_numpy(zero_copy_only=False)
    begins = np.append(True, dialogue[1:] != dialogue[:-1]) if len(first) else np.zeros(0, bool)
    at_begin = before[starts[np.maximum.accumulate(np.where(begins, np.arange(len(first)), 0))]]
    turn = pa.array(first["turn"].to_numpy() - (before[starts] - at_begin), pa.int32())
    for name, values in (("text", pc.binary_join(of_turn, " ")), ("turn", turn)):
        first = first.set_column(first.schema.get_field_index(name), first.schema.field(name), values)
    return first
