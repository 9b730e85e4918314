"""All rows of tables of texts, a script each, which ``static/records.js`` loads when a reader unfolds them."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline_lib.report.script_data import write_call
from pipeline_lib.tables.cells import Table


def write_records(tables: Sequence[Table], folder: Path) -> None:
    """Write ``<table>.js`` for every table with records: the names of their columns, and a list of values for each.

    A column without any value is left out, and so is one that says the same in every row of several.
    """
    for table in tables:
        if table.records:
            write_call(folder / f"{table.name}.js", "Report.receiveRecords", table.name, _columns(table.records))


def _columns(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    names = [name for name in records[0] if _tells(name, records)]
    return {"names": names, "rows": [[_value(record[name]) for name in names] for record in records]}


def _tells(name: str, records: Sequence[dict[str, Any]]) -> bool:
    values = {record[name] for record in records}
    return values not in ({None}, {""}) and (len(values) > 1 or len(records) == 1)


def _value(value: Any) -> Any:
    """Turn a number that a script cannot hold into none."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
