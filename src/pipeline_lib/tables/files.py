"""Files of a table: CSV in long form, Markdown, LaTeX, and JSON, which is the whole `Table`."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv as arrow_csv
from pydantic import TypeAdapter, ValidationError

from pipeline_lib.errors import REMAKE, PipelineError
from pipeline_lib.files.atomic import atomic
from pipeline_lib.files.formats import read_text, write_text
from pipeline_lib.files.spreadsheets import inert
from pipeline_lib.tables.caveats import CAVEATS
from pipeline_lib.tables.cells import VERSION, Cell, Column, Row, Table
from pipeline_lib.tables.latex import latex
from pipeline_lib.tables.markdown import markdown

_JSON = TypeAdapter(Table)
Record = dict[str, Any]


def write_table(table: Table, csv: Path, md: Path, tex: Path, json: Path) -> None:
    """Write a table in its four forms."""
    write_csv(csv, long_form(table), has_words=table.kind in ("ratings", "settings"))
    write_text(md, markdown(table))
    write_text(tex, latex(table))
    write_text(json, _JSON.dump_json(table, indent=1).decode() + "\n")


def read_table(path: Path) -> Table:
    """Read the JSON of a table.

    Raises:
        PipelineError: the file is missing, changed since it was written, or is of another version.
    """
    try:
        return _JSON.validate_json(read_text(path))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise PipelineError(
            f"not readable as a table: {first}", where=path, expected=f"a table of version {VERSION}", remedy=REMAKE
        ) from error


def write_csv(path: Path, records: Sequence[Record], has_words: bool = False) -> None:
    """Write records as CSV; null is an empty field, and no text is one that a spreadsheet would compute.

    Args:
        has_words: cells of one column may be words or numbers, so that nothing is quoted as text.
    """
    records = [{name: _inert(value) for name, value in record.items()} for record in records]
    names = list(records[0]) if records else []
    if has_words:
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        write_text(path, text.getvalue())
        return
    columns = {name: _typed([record.get(name) for record in records]) for name in names}
    with atomic(path) as temporary:
        arrow_csv.write_csv(pa.table(columns), temporary)


def _inert(value: Any) -> Any:
    """Make a text `inert`; one that is a number, such as a setting of -1, stays one."""
    try:
        float(value)
    except (TypeError, ValueError):
        return inert(value) if isinstance(value, str) else value
    return value


def _typed(values: list[Any]) -> list[Any]:
    """Turn all values into texts where a published bound such as >600 is among numbers."""
    if not any(isinstance(value, str) for value in values) or all(isinstance(value, str | None) for value in values):
        return values
    return [None if value is None else str(value) for value in values]


def long_form(table: Table) -> list[Record]:
    """Give one record for each row of the table; a value has several fields, which depend on the kind."""
    if table.records:
        return table.records
    return [_identity(row, table) | _fields_of(row, table) for row in table.rows]


def _identity(row: Row, table: Table) -> Record:
    if table.kind == "counts":
        return {"corpus": row.corpus}
    if table.kind == "settings":
        return {"system": row.system, "label": row.label}
    record: Record = {"corpus": row.corpus, "system": row.system, "label": row.label}
    if table.kind == "scores":
        record |= {"selection": row.selection} if table.beside == "published" else {}
        record |= {caveat.name: row.caveats.get(caveat.name, 0) for caveat in CAVEATS}
    return record


def _fields_of(row: Row, table: Table) -> Record:
    fields = FIELDS.get((table.kind, table.beside), _beside_published)
    return {
        f"{column.name}{suffix}": value
        for column in table.shown
        for suffix, value in (fields(row.cells[column.name]) | _of_t_test(column, row.cells[column.name])).items()
    }


def _over_seeds(cell: Cell) -> Record:
    return {"": cell.mean, " sd": cell.sd, " n": cell.n, " low": cell.low, " high": cell.high}


def _printed(cell: Cell) -> float | str | None:
    """Give the published value; of a bound, its text."""
    if cell.published is None:
        return None
    return cell.published.text if cell.published.value is None else cell.published.value


def _beside_published(cell: Cell) -> Record:
    return _over_seeds(cell) | {" published": _printed(cell), " difference": cell.difference, " lead": cell.lead}


def _with_lead(cell: Cell) -> Record:
    return _beside_published(cell) | {" p": cell.lead_p}


def _beside_first_row(cell: Cell) -> Record:
    change = cell.change
    p = change.p_adjusted if change else None
    mark = change.between if change and change.significant else ""
    return _over_seeds(cell) | {" difference": change.difference if change else None, " p": p, " significant": mark}


def _of_ratings(cell: Cell) -> Record:
    change = cell.change
    ours = _over_seeds(cell) | {" n": cell.n or None}
    ours[" difference"] = change.difference if change else cell.difference
    ours[" p"] = change.p_adjusted if change else None
    if cell.text.strip():  # why nothing was collected
        ours = dict.fromkeys(ours, cell.text)
    marks = {" lead": cell.lead, " significant": "true" if change and change.significant else ""}
    return ours | {" published": _printed(cell)} | marks


def _of_t_test(column: Column, cell: Cell) -> Record:
    if not column.t_test:
        return {}
    return {" t p": cell.text if cell.text.strip() else cell.change.p_t if cell.change else None}


def _of_measures(cell: Cell) -> Record:
    return _over_seeds(cell) | {
        " se": cell.error,
        " items": cell.items or None,
        " published": _printed(cell),
        " difference": cell.difference,
    }


def _of_settings(cell: Cell) -> Record:
    return {"": cell.text, " published": _printed(cell)}


FIELDS: Mapping[tuple[str, str], Callable[[Cell], Record]] = {
    ("scores", "published"): _with_lead,
    ("scores", "first row"): _beside_first_row,
    ("ratings", "published"): _of_ratings,
    ("settings", "published"): _of_settings,
    ("measures", "published"): _of_measures,
}
