"""What people found when they read the sheet of negatives: texts that mean what their contexts mean."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.spreadsheets import plain
from pipeline_lib.files.user_tables import cells_of, read_table, texts_of

VERDICT = "same meaning as the context?"  # column of the sheet
_ANSWERS = {"yes": True, "no": False, "": False}  # nothing: not looked at
_COLUMNS = ("context", "negative", VERDICT)

Pair = tuple[str, str]  # a context as `text.turns.turns_apart` writes it, and a text


def refused(sheet: Path) -> frozenset[Pair]:
    """Read the pairs that a filled sheet calls false negatives.

    Args:
        sheet: CSV, JSON lines or Parquet with the columns context, negative and `VERDICT`, such as the CSV of a table
            of negatives.
    Raises:
        PipelineError: not such a table, no row, or an answer other than yes, no and none; names the row.
    """
    remedy = "copy the CSV of a table of negatives, and fill in its last column"
    rows = read_table(sheet, {name: name for name in _COLUMNS}, cells=cells_of(sheet), remedy=remedy)
    rows = rows.set_column(rows.column_names.index(VERDICT), VERDICT, pc.fill_null(rows[VERDICT].cast(pa.string()), ""))
    contexts, negatives, verdicts = (texts_of(rows.select(_COLUMNS), name, sheet).to_pylist() for name in _COLUMNS)
    found = set()
    for number, (context, negative, verdict) in enumerate(zip(contexts, negatives, verdicts, strict=True), start=1):
        if (answer := _ANSWERS.get(verdict.strip().lower())) is None:
            raise PipelineError(
                f"{VERDICT} {verdict!r}",
                where=f"{sheet}, row {number}",
                expected="yes, no, or nothing where nobody has looked",
                remedy="correct the answer",
            )
        if answer:
            found.add((plain(context), plain(negative)))
    return frozenset(found)
