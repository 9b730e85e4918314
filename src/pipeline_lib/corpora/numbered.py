r"""Numbered examples as ParlAI builds write OpenSubtitles: ``N query<TAB>response``, N restarts with each film.

A line is a query and its response. Two lines are joined into one longer dialogue only where N goes up by one and the
query is, word for word, the response of the line before; so the T-1 examples of the dialogues are exactly the lines of
the file. (In the ParlAI files 2 % of the lines go on so; in a sliding-window build all do.) ``\'`` is an escaped
apostrophe.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora.broken import BROKEN
from pipeline_lib.corpora.lines import subtitle_lines
from pipeline_lib.corpora.splits import hashed_split, splits_of_files
from pipeline_lib.schemas.dialogues import DIALOGUES

# in RE2 syntax; white space around a side never reaches over a tab, or a further column would pass for an empty side
_BLANK = r"[\n\v\f\r\x1c-\x20\x{85}\pZ]"
_TEXT = r"[^\t\n\v\f\r\x1c-\x20\x{85}\pZ]"
_SIDE = rf"{_TEXT}(?:[^\t]*{_TEXT})?"
_LINE = (
    rf"^(?P<number>\d{{1,9}}) {_BLANK}*(?P<query>{_SIDE}){_BLANK}*\t"
    rf"{_BLANK}*(?P<response>{_SIDE}){_BLANK}*(?:\t(?s:.*))?$"
)


def read(files: list[Path], source: Source, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Read dialogues of two turns and more, in bounded memory.

    Splits are those that the file names tell if all three are there, else every film is assigned by a seeded hash.

    Args:
        files: plain text or ``.gz``, read in this order.
        source: ``splits`` and ``split_seed`` are used.
        skipped: counts empty lines and broken ones (no number, no tab, or an empty side).
    """
    official = splits_of_files(files, source)
    film = -1
    for index, path in enumerate(files):
        previous = np.iinfo(np.int64).max  # the first number of a file always starts a film
        for lines in subtitle_lines(path, skipped):
            parsed = pc.extract_regex(lines, _LINE)
            _count_broken(lines, parsed, skipped)
            examples = parsed.filter(parsed.is_valid())
            if len(examples) == 0:
                continue
            numbers = pc.cast(examples.field("number"), pa.int64()).to_numpy(zero_copy_only=False)
            restarts = np.diff(numbers, prepend=previous) <= 0
            films = film + np.cumsum(restarts)
            film, previous = int(films[-1]), int(numbers[-1])
            names = np.unique(films)
            splits = [official[index] if official else _split_of(name, source) for name in names]
            yield _batch(examples, numbers, films, restarts, pa.array(splits).take(pa.array(films - names[0])))


def _split_of(film: int, source: Source) -> str:
    return hashed_split(f"{film:06d}", source.splits, source.split_seed)


def _count_broken(lines: pa.Array, parsed: pa.Array, skipped: Counter[str]) -> None:
    empty = pc.sum(pc.equal(lines, "")).as_py() or 0
    skipped["empty lines"] += empty
    skipped[BROKEN] += parsed.null_count - empty


def _batch(
    examples: pa.Array, numbers: np.ndarray, films: np.ndarray, restarts: np.ndarray, splits: pa.Array
) -> pa.RecordBatch:
    """Make rows of (L) parsed lines; lines of one film that lie in two batches are never joined across them."""
    query, response = (pc.replace_substring(examples.field(side), "\\'", "'") for side in ("query", "response"))
    joined = np.zeros(len(numbers), bool)
    repeated = pc.equal(query.slice(1), response.slice(0, len(response) - 1)).to_numpy(zero_copy_only=False)
    joined[1:] = repeated & (np.diff(numbers) == 1) & ~restarts[1:]

    line = np.repeat(np.arange(len(numbers)), np.where(joined, 1, 2))  # a line that starts a dialogue has two turns
    is_query = np.append(line[:-1] == line[1:], False)
    starts = np.flatnonzero(~joined)
    dialogue = np.cumsum(~joined)[line] - 1
    first_row = np.flatnonzero(is_query)
    turn = np.arange(len(line)) - first_row[dialogue]
    padded = [pc.utf8_lpad(pa.array(part[starts]).cast(pa.string()), 6, "0") for part in (films, numbers)]
    ids = pc.binary_join_element_wise(*padded, "-")
    rows = pa.array(line)
    return pa.RecordBatch.from_arrays(
        [
            ids.take(pa.array(dialogue)),
            pa.array(turn, pa.int32()),
            pa.nulls(len(line), pa.string()),
            pc.if_else(pa.array(is_query), query.take(rows), response.take(rows)),
            splits.take(rows),
            pa.nulls(len(line), pa.int32()),
        ],
        schema=DIALOGUES,
    )
