"""All rows of tables of texts, a script each, which ``static/records.js`` loads when a reader unfolds them."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline_lib.report.script_data import write_call
from pipeline_lib.tables.cells import Table

MOST = 20_000  # rows of a table on the page; its CSV has all


def shown_records(table: Table) -> Sequence[dict[str, Any]]:
    """Return the rows of a table of texts that the page holds; none of a table of another kind."""
    return table.records[:MOST] if table.is_prose else []


def write_records(tables: Sequence[Table], folder: Path) -> None:
    """Write ``<table>.js`` for every table of texts: the names of its columns, and a list of values for each row.

    A column without any value is left out, and so is one that says the same in every row of several.
    """
    for table in tables:
        if records := shown_records(table):
            write_call(folder / f"{table.name}.js", "Report.receiveRecords", table.name, _columns(records))


def _columns(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    names = [name for name in records[0] if _tells(name, records)] or list(records[0])
    return {"names": names, "rows": [[_value(record[name]) for name in names] for record in records]}


def _tells(name: str, records: Sequence[dict[str, Any]]) -> bool:
    values = {record[name] for record in records}
    return values not in ({None}, {""}) and (len(values) > 1 or len(records) == 1)


def _value(value: Any) -> Any:
    """Turn a number that a script cannot hold into none."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
