"""Any text with one sentence a line; a sentence is a dialogue of one turn, its words as given."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora.lines import subtitle_lines
from pipeline_lib.corpora.splits import hashed_split, splits_of_files
from pipeline_lib.schemas.dialogues import DIALOGUES


def read(files: list[Path], source: Source, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Return the sentences of text files.

    Args:
        files: plain or ``.gz``. If their names tell all three splits (train, valid or dev, test), these are used;
            otherwise equal sentences go to one split, by a hash, so that no held-out sentence is in training.
        source: ``splits`` and ``split_seed`` decide on the hashed splits.
        skipped: counts empty lines, and lines with bytes that are not UTF-8.
    Raises:
        PipelineError: a damaged gzip stream, or an implausibly long line.
    """
    official = splits_of_files(files, source)
    for number, path in enumerate(files):
        first = 1
        for lines in subtitle_lines(path, skipped):
            texts = lines.to_pylist()
            hashed = (hashed_split(text, source.splits, source.split_seed) for text in texts)
            splits = [official[number]] * len(texts) if official else list(hashed)
            yield sentence_batch(f"{number}", first, texts, splits, skipped)
            first += len(texts)


def sentence_batch(
    name: str, first: int, lines: Sequence[str], splits: Sequence[str], skipped: Counter[str]
) -> pa.RecordBatch:
    """Return the rows of consecutive lines, without outer spaces; empty lines are left out and counted.

    Args:
        name: begins the ids of these sentences.
        first: 1-based number of the first line, which ends its id.
        lines: (N) sentences.
        splits: (N) the split of each.
        skipped: counts empty lines.
    Returns:
        `DIALOGUES`, without speaker and label.
    """
    numbered = zip(range(first, first + len(lines)), map(str.strip, lines), splits, strict=True)
    kept = [(f"{name}-{number:06d}", text, split) for number, text, split in numbered if text]
    skipped["empty lines"] += len(lines) - len(kept)
    ids, texts, own_splits = zip(*kept, strict=True) if kept else ((), (), ())
    return pa.RecordBatch.from_arrays(
        [
            pa.array(ids, pa.string()),
            pa.repeat(pa.scalar(0, pa.int32()), len(kept)),
            pa.nulls(len(kept), pa.string()),
            pa.array(texts, pa.string()),
            pa.array(own_splits, pa.string()),
            pa.nulls(len(kept), pa.int32()),
        ],
        schema=DIALOGUES,
    )
