"""The rows of data sets that probes read: labelled sentences, or labelled pairs of sentences."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from pipeline_lib.errors import PipelineError
from pipeline_lib.schemas.dialogues import DIALOGUES


def labelled_batch(
    split: str, numbers: Sequence[int], texts: Sequence[Sequence[str]], labels: Sequence[int]
) -> pa.RecordBatch:
    """Return a dialogue for each of N items, whose turns are its texts, all with the label of the item.

    Args:
        split: begins the ids.
        numbers: (N) 1-based lines, which end the ids.
        texts: (N) one or two texts each.
        labels: (N) 0-based.
    """
    turns = [
        (f"{split}-{number:06d}", turn, None, text, split, label)
        for number, own, label in zip(numbers, texts, labels, strict=True)
        for turn, text in enumerate(own)
    ]
    columns = zip(*turns, strict=True) if turns else [()] * len(DIALOGUES)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, DIALOGUES, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=DIALOGUES)


def file_of(files: Sequence[Path], name: str) -> Path:
    """Find a file by its name, which may end in ``.gz``.

    Raises:
        PipelineError: there is none.
    """
    for path in files:
        if path.name in (name, f"{name}.gz"):
            return path
    raise PipelineError(
        f"no file is {name}",
        where=", ".join(map(str, files)),
        expected=f"{name}, plain or as .gz",
        remedy="name the files like this in the source's `bundles:`",
    )


def wrong_line(path: Path, number: int, problem: str, expected: str) -> PipelineError:
    """Describe a line that is not of the format."""
    return PipelineError(
        problem,
        where=f"{path}, line {number}",
        expected=expected,
        remedy="fetch the original release; a spreadsheet or an editor may have changed the file",
    )
