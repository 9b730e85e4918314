"""OpenSubtitles as OPUS distributes it in plain text: one utterance a line, an empty line between films, or none.

A film is one dialogue; its consecutive lines are taken for consecutive turns, since subtitles name no speaker. A file
without empty lines does not say where a film ends: it is cut into blocks of 1,000 lines, each a dialogue of its own, so
that neighbouring lines fall into the same split except at one place in a thousand.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora.lines import subtitle_lines
from pipeline_lib.corpora.splits import hashed_split, splits_of_files
from pipeline_lib.schemas.dialogues import DIALOGUES

BLOCK_LINES = 1_000  # of a file without film boundaries
_FILM_LINES = 20_000  # longer than any film: a bound on memory should boundaries end midway


def read(files: list[Path], source: Source, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Read films as dialogues, in bounded memory.

    Splits are those that the file names tell if all three are there, else every film is assigned by a seeded hash.

    Args:
        files: plain text or ``.gz``, read in this order.
        source: ``splits`` and ``split_seed`` are used.
        skipped: counts what was mended, by reason.
    """
    official = splits_of_files(files, source)
    first = 0
    for index, path in enumerate(files):
        for lines, starts in _films(path, skipped):
            names = [f"{number:08d}" for number in range(first, first + len(starts))]
            first += len(starts)
            if official:
                splits = [official[index]] * len(names)
            else:
                splits = [hashed_split(name, source.splits, source.split_seed) for name in names]
            yield _batch(lines, starts, names, splits)


def _films(path: Path, skipped: Counter[str]) -> Iterator[tuple[pa.Array, np.ndarray]]:
    """Yield the non-empty lines of whole films, and the (F,) positions at which each film starts."""
    rest = pa.array([], pa.string())
    limit = 0
    for lines in subtitle_lines(path, skipped):
        limit = limit or _longest_film(lines)
        lines = pa.concat_arrays([rest, lines])
        complete, rest = _cut(lines, limit)
        if len(complete[0]):
            yield complete
    if len(rest):
        empty_line = pa.array([""])
        yield _cut(pa.concat_arrays([rest, empty_line]), limit)[0]


def _longest_film(lines: pa.Array) -> int:
    bounded = pc.any(pc.equal(lines, "")).as_py()
    return _FILM_LINES if bounded else BLOCK_LINES


def _cut(lines: pa.Array, limit: int) -> tuple[tuple[pa.Array, np.ndarray], pa.Array]:
    """Divide lines into those of films that are known to have ended, and the rest, at most ``limit`` lines.

    Returns:
        (non-empty lines, (F,) int64 start of each film among them), remaining lines.
    """
    empty = pc.equal(lines, "").to_numpy(zero_copy_only=False)
    position = np.arange(len(empty))
    film_start = np.maximum.accumulate(np.where(empty, position + 1, 0))  # an empty line begins what follows it
    in_film = position - film_start
    starts = ~empty & (in_film % limit == 0)
    last = int(np.flatnonzero(starts | empty)[-1])  # from here on more lines may belong to the same film
    spoken = ~empty[:last]
    film_starts = np.flatnonzero(starts[:last][spoken])
    rest = lines.slice(last + 1 if empty[last] else last)
    return (lines.slice(0, last).filter(pa.array(spoken)), film_starts), pa.concat_arrays([rest])


def _batch(lines: pa.Array, starts: np.ndarray, names: list[str], splits: list[str]) -> pa.RecordBatch:
    lengths = np.diff(np.append(starts, len(lines)))
    film = np.repeat(np.arange(len(starts)), lengths)
    turn = np.arange(len(lines)) - starts[film]
    films = pa.array(film)
    return pa.RecordBatch.from_arrays(
        [
            pa.array(names, pa.string()).take(films),
            pa.array(turn, pa.int32()),
            pa.nulls(len(films), pa.string()),
            lines,
            pa.array(splits, pa.string()).take(films),
            pa.nulls(len(films), pa.int32()),
        ],
        schema=DIALOGUES,
    )
