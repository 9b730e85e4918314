"""Tables as CSV in long form."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv

from pipeline_lib.files.atomic import atomic
from pipeline_lib.tables.cells import Table


def write_long_form(path: Path, table: Table) -> None:
    """Write `long_form` as CSV; an undefined figure is an empty field."""
    write_csv(path, long_form(table))


def write_csv(path: Path, rows: pa.Table) -> None:
    """Write rows as CSV; null is an empty field."""
    with atomic(path) as temporary:
        csv.write_csv(rows, temporary)


def long_form(table: Table) -> pa.Table:
    """One row per row of the table, eight columns per figure: what the .csv holds."""
    records = []
    for row in table.rows:
        record: dict[str, Any] = {"corpus": row.corpus}
        if row.system:
            record |= {"system": row.system, "label": row.label, "selection": row.selection, "collapsed": row.collapsed}
        for column in [*table.columns, *table.extra]:
            cell = row.cells[column]
            record |= {
                column: cell.mean,
                f"{column} sd": cell.sd,
                f"{column} n": cell.n,
                f"{column} low": cell.low,
                f"{column} high": cell.high,
                f"{column} published": cell.published and cell.published.value,
                f"{column} difference": cell.difference,
                f"{column} lead": cell.lead,
            }
        records.append(record)
    return pa.Table.from_pylist(records)
