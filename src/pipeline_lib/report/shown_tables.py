"""Tables of values as ``static/tables.js`` reads them; nothing is computed."""

import math
from typing import Any

from pipeline_lib.tables.caveats import marks_of
from pipeline_lib.tables.cells import Cell, Table


def as_json(table: Table) -> dict[str, Any]:
    """Give columns and rows of a table; a column without any value is left out."""
    shown = [column for column in table.shown if any(_is_shown(row.cells[column.name]) for row in table.rows)]
    columns = [
        {"name": column.name, "places": column.places, "metric": column.metric, "split": column.split}
        | {"signatures": sorted(set(column.signatures.values()))}
        for column in shown
    ]
    rows = [
        {
            "corpus": row.corpus,
            "corpus_label": row.corpus_label,
            "system": row.system,
            "label": row.label,
            "selection": row.selection,
            "marks": marks_of(row.caveats),
            "cells": {column.name: _cell(row.cells[column.name]) for column in shown},
        }
        for row in table.rows
    ]
    return {"name": table.name, "columns": columns, "rows": rows}


def signatures(table: Table) -> list[str]:
    """List the settings of all metrics of a table, each once."""
    return list(dict.fromkeys(one for column in table.shown for one in sorted(set(column.signatures.values()))))


def _is_shown(cell: Cell) -> bool:
    return cell.mean is not None or bool(cell.text.strip()) or cell.published is not None


def _cell(cell: Cell) -> dict[str, Any]:
    """Give the parts of a cell that exist; a number that is not finite is left out, since a script cannot hold it."""
    change, published = cell.change, cell.published
    parts: dict[str, Any] = {"mean": cell.mean, "sd": cell.sd, "n": cell.n, "low": cell.low, "high": cell.high}
    parts |= {
        "lead": cell.lead,
        "mark": cell.mark,
        "p": cell.lead_p,
        "text": cell.text.strip(),
        "difference": cell.difference,
    }
    if published:
        parts |= {"published": published.value, "printed": published.text}
    if change:
        parts |= {"difference": change.difference, "p": change.p_adjusted, "mark": change.mark}
        parts |= {} if change.p_t is None else {"t": change.p_t}
    return {name: value for name, value in parts.items() if not isinstance(value, float) or math.isfinite(value)}
