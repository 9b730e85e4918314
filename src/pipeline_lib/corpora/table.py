"""Any corpus as a table, one turn a row: CSV, JSON lines or Parquet, with column names of the user's choice.

The rows of a dialogue must follow one another; within it they are put in the order of their turn numbers and renumbered
from 0. So a table of any length streams.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora.splits import hashed_split
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.user_tables import read_rows
from pipeline_lib.schemas.dialogues import DIALOGUES, SPLITS

_REQUIRED = ("dialogue", "turn", "text")
_LONGEST = 1_000_000  # turns of a dialogue, which is held in memory; real ones have some hundreds


def read(files: list[Path], source: Source, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Read the dialogues of a table.

    Args:
        files: ``.csv``, ``.jsonl`` or ``.parquet``, the first two also as ``.gz``; read in this order.
        source: ``columns`` names the columns; ``splits`` and ``split_seed`` are used where there is no split column.
        skipped: unused; a fault is an error.
    Raises:
        PipelineError: a column is missing; a value is null, empty or of the wrong kind; a turn number occurs twice in
            a dialogue; the rows of a dialogue are scattered or implausibly many. Each names the file and the row or
            dialogue.
    """
    columns = {key: key for key in _REQUIRED} | source.columns
    seen: set[str] = set()
    for path in files:
        for rows in _whole_dialogues(_checked(path, columns), path):
            yield _batch(path, rows, source, seen)


# --- rows, checked one by one --------------------------------------------------------------------------------------


def _checked(path: Path, columns: dict[str, str]) -> Iterator[pa.Table]:
    """Read rows as (dialogue: string, turn: int64, text: string[, speaker: string][, split: string])."""
    first_row = 1
    for raw in read_rows(path, columns):
        cleaned = {}
        for key, name in columns.items():
            kind = pa.int64() if key == "turn" else pa.string()
            cleaned[key] = _cast(raw.column(name), kind, path, name, first_row)
            if key != "speaker":
                _check_present(cleaned[key], path, name, first_row)
        if "split" in cleaned:
            _check_splits(cleaned["split"], path, columns["split"], first_row)
        first_row += raw.num_rows
        yield pa.table(cleaned)


def _cast(values: pa.Array, kind: pa.DataType, path: Path, name: str, first_row: int) -> pa.Array:
    try:
        values = values.cast(kind)
    except pa.ArrowException as error:
        row = first_row + next(i for i in range(len(values)) if not _castable(values.slice(i, 1), kind))
        raise PipelineError(
            f"{name} is {values[row - first_row].as_py()!r}",
            where=f"{path}, row {row}",
            expected="a whole number" if kind == pa.int64() else "text",
            remedy="correct the value",
        ) from error
    return pc.utf8_trim_whitespace(values) if kind == pa.string() else values


def _castable(values: pa.Array, kind: pa.DataType) -> bool:
    try:
        values.cast(kind)
    except pa.ArrowException:
        return False
    return True


def _check_present(values: pa.Array, path: Path, name: str, first_row: int) -> None:
    lacking = values.is_null()
    if values.type == pa.string():
        lacking = pc.or_kleene(lacking, pc.equal(values, ""))
    row = pc.index(lacking, True).as_py()
    if row >= 0:
        raise PipelineError(
            f"{name} is null or empty",
            where=f"{path}, row {first_row + row}",
            expected="a value in every row",
            remedy="fill it in, or take the whole dialogue out",
        )


def _check_splits(values: pa.Array, path: Path, name: str, first_row: int) -> None:
    row = pc.index(pc.is_in(values, pa.array(SPLITS)), False).as_py()
    if row >= 0:
        raise PipelineError(
            f"{name} is {values[row].as_py()!r}",
            where=f"{path}, row {first_row + row}",
            expected=", ".join(SPLITS),
            remedy="rename the splits, or leave the column out of `columns:` to have dialogues assigned by a hash",
        )


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


def _changes(values: pa.Array) -> np.ndarray:
    """Mark which of N values differ from the one before: (N - 1) bool."""
    return pc.not_equal(values.slice(1), values.slice(0, len(values) - 1)).to_numpy(zero_copy_only=False)


def _check_length(held: list[pa.Table], path: Path) -> None:
    if sum(part.num_rows for part in held) > _LONGEST:
        raise PipelineError(
            f"dialogue {held[0].column('dialogue')[0].as_py()!r} has more than {_LONGEST:,} turns",
            where=path,
            expected="a column that tells dialogues apart",
            remedy="name that column for 'dialogue' in the configuration, or divide the dialogue",
        )


def _batch(path: Path, rows: pa.Table, source: Source, seen: set[str]) -> pa.RecordBatch:
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

    in_order = pa.array(order)
    speaker = rows.column("speaker") if "speaker" in rows.column_names else pa.nulls(len(ids), pa.string())
    table = pa.table(
        {
            "dialogue_id": ids,
            "turn": pa.array(np.arange(len(ids)) - starts[dialogue], pa.int32()),
            "speaker": speaker.take(in_order),
            "text": rows.column("text").take(in_order),
            "split": _splits(rows, names, dialogue, path, source),
            "label": pa.nulls(len(ids), pa.int32()),
        },
        schema=DIALOGUES,
    )
    return pa.RecordBatch.from_struct_array(table.to_struct_array().combine_chunks())


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
