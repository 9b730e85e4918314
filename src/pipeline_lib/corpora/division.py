"""Windows that are divided among the splits one by one (`window: {split: window}`), and the splits of their turns."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from pipeline_lib.config.corpora import Division, Window
from pipeline_lib.corpora.splits import hashed_split
from pipeline_lib.schemas.dialogues import DIALOGUES


def split_of_windows(dialogues: Iterable[str], turns: Iterable[int], division: Division) -> list[str]:
    """Return the split of each window, by a hash of its dialogue and of its first turn."""
    shares = {"validation": division.validation, "test": division.test}
    places = zip(dialogues, turns, strict=True)
    return [hashed_split(f"{name}/{turn}", shares, division.seed) for name, turn in places]  # type: ignore[arg-type]


def divided(batches: Iterator[pa.RecordBatch], window: Window, division: Division) -> Iterator[pa.RecordBatch]:
    """Put every utterance of a training window into training, and others into the split of a window that they are in.

    So words, users and word vectors are counted in the utterances that training sees. An utterance in no window keeps
    the split of its dialogue.

    Args:
        batches: of `DIALOGUES`, each of whole dialogues.
    """
    for batch in batches:
        starts = _starts(batch, window)
        names = batch["dialogue_id"].take(pa.array(starts)).to_pylist()
        of_windows = np.array(split_of_windows(names, batch["turn"].to_numpy()[starts].tolist(), division), object)
        split = np.array(batch["split"].to_pylist(), object)
        for wanted in ("validation", "test", "train"):  # the last has the last word
            own = starts[of_windows == wanted]
            split[(own[:, None] + np.arange(window.context + 1)).ravel()] = wanted
        place = DIALOGUES.get_field_index("split")
        yield batch.set_column(place, DIALOGUES.field("split"), pa.array(split, DIALOGUES.field("split").type))


def _starts(batch: pa.RecordBatch, window: Window) -> np.ndarray:
    """Return the rows at which windows begin: (W,) int64."""
    size = window.context
    turn, dialogue = batch["turn"].to_numpy(), np.array(batch["dialogue_id"].to_pylist(), object)
    row = np.arange(max(0, len(turn) - size))
    fits = (dialogue[row] == dialogue[row + size]) & (turn[row + size] - turn[row] == size)
    if window.every == "document":
        ends = np.append(dialogue[1:] != dialogue[:-1], True)
        fits &= ends[row + size]
    return row[fits]
