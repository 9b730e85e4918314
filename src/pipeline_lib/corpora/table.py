"""Any corpus as a table, one turn a row: CSV, TSV, JSON lines or Parquet, with column names of the user's choice.

The rows of a dialogue must follow one another; within it they are put in the order of their turn numbers and renumbered
from 0, with one number left out for each gap between theirs. So a table of any length streams.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora.splits import SPLIT_NAMES, hashed_split, splits_of_files
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.user_tables import Cells, read_rows
from pipeline_lib.files.windows_1252 import MAPPED, mend_array
from pipeline_lib.schemas.dialogues import DIALOGUES

GAPS = "gaps between turn numbers"  # name of the count

_LONGEST = 1_000_000  # turns of a dialogue, which is held in memory; real ones have some hundreds
_LARGEST = 256 << 20  # bytes of a dialogue
_LONGEST_NAME = 1_000  # bytes of an id, a speaker or a split, which are repeated in every row


def read(files: list[Path], source: Source, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Read the dialogues of a table.

    Splits are those of a split column, or else those of the files (`splits_of_files`), whose ids then begin with the
    split; where neither is there, every dialogue is assigned by a seeded hash.

    Args:
        files: ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet``, the first three also as ``.gz``; read in this order.
        source: all that begins with ``columns``, ``separator``, ``quotes``, ``gaps`` and ``split``.
        skipped: counts gaps between turn numbers, and texts that were mended; any other fault is an error.
    Raises:
        PipelineError: a column is missing; a value is null, empty or of the wrong kind; a turn number occurs twice in
            a dialogue; the rows of a dialogue are scattered or implausibly many. Each names the file and the row or
            dialogue.
    """
    columns = _Columns.of(source)
    told = None if columns.split else splits_of_files(files, source)
    given: Sequence[str | None] = told or [None] * len(files)
    seen: set[str] = set()
    for path, split in zip(files, given, strict=True):
        rows = _checked(path, columns, source, split, skipped)
        for dialogues in _whole_dialogues(rows, path):
            yield _batch(path, dialogues, source, seen, skipped)


@dataclass(frozen=True)
class _Columns:
    """Names of columns in the file; None where there is none."""

    dialogue: Sequence[str]
    turn: str | None
    text: str
    speaker: str | None
    split: str | None

    @classmethod
    def of(cls, source: Source) -> "_Columns":
        named = {"dialogue": "dialogue", "turn": "turn", "text": "text"} | source.columns
        one = {key: name for key, name in named.items() if isinstance(name, str)}
        dialogue = named["dialogue"]
        return cls(
            dialogue=dialogue if isinstance(dialogue, list) else [one["dialogue"]],
            turn=one.get("turn"),
            text=one["text"],
            speaker=one.get("speaker"),
            split=one.get("split"),
        )

    def named(self) -> dict[str, str]:
        """Map what a column is for to its name in the file."""
        several = len(self.dialogue) > 1
        ids = {f"dialogue {n}" if several else "dialogue": name for n, name in enumerate(self.dialogue, 1)}
        others = {"turn": self.turn, "text": self.text, "speaker": self.speaker, "split": self.split}
        return ids | {key: name for key, name in others.items() if name}


# --- rows, checked one by one --------------------------------------------------------------------------------------


def _checked(
    path: Path, columns: _Columns, source: Source, split: str | None, skipped: Counter[str]
) -> Iterator[pa.Table]:
    """Read rows as (dialogue: string, turn: int64, text: string[, speaker: string][, split: string]).

    Args:
        split: the split of the whole file, if it has one.
    """
    first_row = 1
    for raw in read_rows(path, columns.named(), cells=Cells(source.separator, source.quotes, of_source=True)):
        rows = _Rows(raw, path, first_row)
        cleaned = {
            "dialogue": _joined([rows.names(name) for name in columns.dialogue], split),
            "turn": rows.numbers(columns.turn) if columns.turn else pa.array(np.arange(raw.num_rows) + first_row),
            "text": rows.texts(columns.text, skipped),
        }
        if columns.speaker:
            cleaned["speaker"] = rows.names(columns.speaker, optional=True)
        if split:
            cleaned["split"] = pa.repeat(split, raw.num_rows)
        elif columns.split:
            cleaned["split"] = rows.splits(columns.split)
        first_row += raw.num_rows
        yield pa.table(cleaned)


def _joined(parts: Sequence[pa.Array], split: str | None) -> pa.Array:
    """Return one id for the (N) ids of each part; different parts never give the same one."""
    if len(parts) > 1:
        escaped = [pc.replace_substring(pc.replace_substring(part, "%", "%25"), "/", "%2F") for part in parts]
        parts = [pc.binary_join_element_wise(*escaped, "/")]
    return pc.binary_join_element_wise(pa.scalar(split), parts[0], "-") if split else parts[0]


@dataclass(frozen=True)
class _Rows:
    """Rows as the file has them, whose columns are checked as they are taken."""

    raw: pa.RecordBatch
    path: Path
    first: int  # 1-based row of the file

    def numbers(self, name: str) -> pa.Array:
        """Return a column as int64."""
        values = self._cast(name, pa.int64())
        self._check_present(values, name)
        return values

    def texts(self, name: str, skipped: Counter[str]) -> pa.Array:
        """Return a column as texts without outer spaces."""
        mended, number = mend_array(self._cast(name, pa.string()))
        skipped.update({MAPPED: number} if number else {})
        values = pc.utf8_trim_whitespace(mended)
        self._check_present(values, name)
        return values

    def names(self, name: str, optional: bool = False) -> pa.Array:
        """Return a column as short texts; ``optional`` ones may be null or empty, which is null."""
        values = pc.utf8_trim_whitespace(self._cast(name, pa.string()))
        if optional:
            values = pc.if_else(pc.equal(values, ""), None, values)  # a CSV has no other null
        else:
            self._check_present(values, name)
        longest = pc.max(pc.binary_length(values)).as_py() or 0
        if longest > _LONGEST_NAME:
            row = pc.index(pc.equal(pc.binary_length(values), longest), True).as_py()
            raise PipelineError(
                f"{name} is a text of {longest:,} bytes",
                where=f"{self.path}, row {self.first + row}",
                expected=f"a name of at most {_LONGEST_NAME:,} bytes",
                remedy="correct the value, or name another column under `columns:`",
            )
        return values

    def splits(self, name: str) -> pa.Array:
        """Return a column as names of `SPLITS`."""
        values = self.names(name)
        known = pc.index_in(pc.utf8_lower(values), pa.array(SPLIT_NAMES))
        row = pc.index(known.is_null(), True).as_py()
        if row >= 0:
            raise PipelineError(
                f"{name} is {values[row].as_py()!r}",
                where=f"{self.path}, row {self.first + row}",
                expected=", ".join(SPLIT_NAMES),
                remedy="rename the splits, or leave the column out of `columns:` to have dialogues assigned by a hash",
            )
        return pa.array(SPLIT_NAMES.values()).take(known)

    def _cast(self, name: str, kind: pa.DataType) -> pa.Array:
        values = self.raw.column(name)
        try:
            return values.cast(kind)
        except pa.ArrowException as error:
            row = next(i for i in range(len(values)) if not _castable(values.slice(i, 1), kind))
            raise PipelineError(
                f"{name} is {values[row].as_py()!r}",
                where=f"{self.path}, row {self.first + row}",
                expected="a whole number" if kind == pa.int64() else "text",
                remedy="correct the value"
                + ("; `turn: null` takes the order of the rows" if kind == pa.int64() else ""),
            ) from error

    def _check_present(self, values: pa.Array, name: str) -> None:
        lacking = values.is_null()
        if values.type == pa.string():
            lacking = pc.or_kleene(lacking, pc.equal(values, ""))
        row = pc.index(lacking, True).as_py()
        if row >= 0:
            raise PipelineError(
                f"{name} is null or empty",
                where=f"{self.path}, row {self.first + row}",
                expected="a value in every row",
                remedy="fill it in, or take the whole dialogue out",
            )


def _castable(values: pa.Array, kind: pa.DataType) -> bool:
    try:
        values.cast(kind)
    except pa.ArrowException:
        return False
    return True


# --- dialogues -----------------------------------------------------------------------------------------------------


def _whole_dialogues(tables: Iterator[pa.Table], path: Path) -> Iterator[pa.Table]:
    """Yield the same rows, divided only between dialogues."""
    held: list[pa.Table] = []  # of one dialogue, which may go on in the next table
    for table in tables:
        ids = table.column("dialogue").combine_chunks()
        starts = np.flatnonzero(_changes(ids)) + 1
        goes_on = bool(held) and held[-1].column("dialogue")[-1] == ids[0]
        if goes_on and not len(starts):
            held.append(table)
            _check_length(held, path)
            continue
        last = int(starts[-1]) if len(starts) else 0
        if held or last:
            yield pa.concat_tables([*held, table.slice(0, last)])
        held = [table.slice(last)]
    if held:
        yield pa.concat_tables(held)


def _changes(values: pa.Array) -> NDArray[np.bool_]:
    """Mark which of N values differ from the one before: (N - 1) bool."""
    return pc.not_equal(values.slice(1), values.slice(0, len(values) - 1)).to_numpy(zero_copy_only=False)


def _check_length(held: list[pa.Table], path: Path) -> None:
    size = ""
    if sum(part.num_rows for part in held) > _LONGEST:
        size = f"{_LONGEST:,} turns"
    elif sum(part.nbytes for part in held) > _LARGEST:
        size = f"{_LARGEST >> 20} MiB of text"
    if size:
        raise PipelineError(
            f"dialogue {held[0].column('dialogue')[0].as_py()!r} has more than {size}",
            where=path,
            expected="a column that tells dialogues apart",
            remedy="name that column for 'dialogue' in the configuration, or divide the dialogue",
        )


def _batch(path: Path, rows: pa.Table, source: Source, seen: set[str], skipped: Counter[str]) -> pa.RecordBatch:
    rows = rows.combine_chunks()
    ids = rows.column("dialogue").combine_chunks()
    changes = _changes(ids)
    starts = np.flatnonzero(np.append(True, changes))
    names = ids.take(pa.array(starts)).to_pylist()
    _check_contiguous(names, seen, path)
    dialogue = np.cumsum(np.append(0, changes))
    turn = rows.column("turn").to_numpy()
    order = np.lexsort((turn, dialogue))
    _check_distinct(turn[order], dialogue, names, path)
    gaps = _gaps(turn[order], dialogue)
    skipped[GAPS + (", joined" if source.gaps == "join" else "")] += int(gaps.sum())
    position = np.arange(len(ids)) + (np.cumsum(gaps) if source.gaps == "split" else 0)

    in_order = pa.array(order)
    speaker = rows.column("speaker") if "speaker" in rows.column_names else pa.nulls(len(ids), pa.string())
    table = pa.table(
        {
            "dialogue_id": ids,
            "turn": pa.array(position - position[starts][dialogue], pa.int32()),
            "speaker": speaker.take(in_order),
            "text": rows.column("text").take(in_order),
            "split": _splits(rows, names, dialogue, path, source),
            "label": pa.nulls(len(ids), pa.int32()),
        },
        schema=DIALOGUES,
    )
    return pa.RecordBatch.from_struct_array(table.to_struct_array().combine_chunks())


def _gaps(turn: np.ndarray, dialogue: np.ndarray) -> NDArray[np.bool_]:
    """Mark the rows whose turn number is not the next one after that of the row before: (N) bool."""
    gaps = np.zeros(len(turn), bool)
    gaps[1:] = (turn[1:] != turn[:-1] + 1) & (np.diff(dialogue) == 0)
    return gaps


def _splits(rows: pa.Table, names: list[str], dialogue: np.ndarray, path: Path, source: Source) -> pa.Array:
    if "split" not in rows.column_names:
        own = [hashed_split(name, source.splits, source.split_seed) for name in names]
        return pa.array(own).take(pa.array(dialogue))
    given = rows.column("split").combine_chunks()
    bad = np.flatnonzero(_changes(given) & (np.diff(dialogue) == 0))
    if len(bad):
        raise PipelineError(
            f"dialogue {names[dialogue[bad[0]]]!r} is in two splits",
            where=path,
            expected="one split for all rows of a dialogue",
            remedy="correct the split column; a divided dialogue leaks between training and test",
        )
    return given


def _check_contiguous(names: list[str], seen: set[str], path: Path) -> None:
    for name in names:
        if name in seen:
            raise PipelineError(
                f"dialogue {name!r} begins a second time",
                where=path,
                expected="the rows of a dialogue one after another",
                remedy="sort the table by dialogue, or give different dialogues different ids",
            )
        seen.add(name)


def _check_distinct(turn: np.ndarray, dialogue: np.ndarray, names: list[str], path: Path) -> None:
    repeated = np.flatnonzero((np.diff(turn) == 0) & (np.diff(dialogue) == 0))
    if len(repeated):
        raise PipelineError(
            f"turn {turn[repeated[0]]} stands twice in dialogue {names[dialogue[repeated[0]]]!r}",
            where=path,
            expected="different turn numbers within a dialogue",
            remedy="renumber the turns, or give different dialogues different ids",
        )
