"""The two forms of a rating sheet: a CSV for spreadsheets, and a page for the browser that exports the same CSV."""

import base64
import csv
import hashlib
import io
from importlib.resources import files
from pathlib import Path

import jinja2

from pipeline_lib.config.ratings import HISTORY, SHEET_COLUMNS
from pipeline_lib.files.formats import write_text
from pipeline_lib.files.spreadsheets import inert
from pipeline_lib.ratings.draw import Draw

_SCRIPTS = ("sheet.js", "answers.js", "csv.js", "grid.js", "page.js")


def write_sheets(folder: Path, draw: Draw) -> None:
    """Write ``sheet.csv`` and ``sheet.html`` into ``folder``."""
    write_text(folder / "sheet.csv", csv_sheet(draw))
    write_text(folder / "sheet.html", page(draw))


def csv_sheet(draw: Draw) -> str:
    """Write one row for each item and response, with an empty cell for the rater and for each aspect."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_columns(draw))
    for item in draw.items:
        history = [inert("\n".join(item.history))] if draw.has_history else []
        for response in item.responses:
            shown = (inert(item.context), inert(response.text), *history)
            writer.writerow([draw.sheet, "", item.id, response.id, *shown, *("" for _ in draw.aspects)])
    return "\ufeff" + text.getvalue()  # without the mark Excel takes UTF-8 for the local code page


def _columns(draw: Draw) -> list[str]:
    return [*SHEET_COLUMNS, *([HISTORY] if draw.has_history else []), *draw.aspects]


def page(draw: Draw) -> str:
    """Write one HTML file that works from disk: no request leaves it, and its policy allows its own script alone."""
    script = "\n".join(["(() => {", '"use strict";', *(_asset(name) for name in _SCRIPTS), "})();"])
    style = _asset("page.css")
    shown = {
        "sheet": draw.sheet,
        "aspects": [
            {"name": name, "criterion": criterion, "scale": draw.scale_of(name).model_dump()}
            for name, criterion in draw.aspects.items()
        ],
        "columns": _columns(draw),
        "hasHistory": draw.has_history,
        "items": [
            {
                "id": item.id,
                "context": item.context,
                "history": item.history,
                "responses": [{"id": response.id, "text": response.text} for response in item.responses],
            }
            for item in draw.items
        ],
    }
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(_asset("page.html")).render(
        draw=draw,
        shown=shown,
        script=script,
        style=style,
        script_digest=_digest(script),
        style_digest=_digest(style),
    )


def _asset(name: str) -> str:
    return files("pipeline_lib").joinpath("ratings/page", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """Return the source expression of a content security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
