"""Tables of values that an analysis measured: of systems, of what it compares them with, and what papers quote."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import MeasureTable
from pipeline_lib.errors import PipelineError, did_you_mean
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.measures import MEASURES, SYSTEM
from pipeline_lib.tables.cells import (
    Cell,
    Column,
    Row,
    Table,
    has_published,
    notes_of_spec,
    of_spec,
    over_seeds,
    printed_as,
    spread_of,
)
from pipeline_lib.tables.published import Published

QUOTED = " (published only)"


class Measured(NamedTuple):
    """The values of one cell, one for each run."""

    values: list[float]
    errors: list[float]  # over the items; none where the analysis gives none
    items: int


Cells = dict[tuple[str, str], Measured]  # row and column, as the analysis names them


def make(name: str, spec: MeasureTable, layout: Layout, measures: Sequence[Path], published: Published) -> Table:
    """Make a table of measured values.

    Rows are the systems', then those that do not depend on the system, taken from the first system's runs, then those
    that the paper quotes and this project does not compute.

    Args:
        measures: `MEASURES` of every corpus, system and seed of the layout, in this order.
    Raises:
        PipelineError: no run has one of the columns.
    """
    files = iter(measures)
    rows: list[Row] = []
    for corpus in layout.corpora:
        found = {system: _read([next(files) for _ in layout.seeds]) for system in layout.systems}
        _check_columns(name, spec, found, measures)
        rows += _rows(spec, layout, corpus, found, published)
        rows += _quoted(spec, layout, corpus, published, [_printed_name(row, spec, layout) for row in rows])
    columns = [Column(column, spec.digits) for column in spec.columns]
    extra = [
        Column(column, spec.digits) for column in spec.extra if any(row.cells[column].mean is not None for row in rows)
    ]
    shown = [column.name for column in [*columns, *extra]]
    rows = [replace(row, cells={column: row.cells[column] for column in shown}) for row in rows]
    below = "; below: the published value" if any(map(has_published, rows)) else ""
    notes = [f"Each value: {spread_of(layout)}{below}.", *_notes_of_errors(rows, shown, spec.digits)]
    return Table(
        **of_spec(name, spec),
        columns=columns,
        extra=extra,
        extra_title="Beyond the published columns",
        rows=rows,
        notes=[*notes, *notes_of_spec(spec, layout, rows)],
    )


def _read(runs: Sequence[Path]) -> Cells:
    found: Cells = defaultdict(lambda: Measured([], [], 0))
    for run in runs:
        for row in read_parquet(run, MEASURES).to_pylist():
            own = found[row["row"], row["column"]]
            own.values.append(row["value"])
            own.errors.extend([] if row["error"] is None else [row["error"]])
            found[row["row"], row["column"]] = own._replace(items=row["n"])
    return dict(found)


def _check_columns(name: str, spec: MeasureTable, found: dict[str, Cells], measures: Sequence[Path]) -> None:
    known = list(dict.fromkeys(column for cells in found.values() for _, column in cells))
    if unknown := [column for column in spec.columns if column not in known]:
        raise PipelineError(
            f"no value {unknown[0]!r}",
            where=f"tables.{name}.columns, of {measures[0]}",
            expected=did_you_mean(unknown[0], known),
            remedy="correct the column in paper.yaml",
        )


def _rows(
    spec: MeasureTable, layout: Layout, corpus: str, found: dict[str, Cells], published: Published
) -> Iterator[Row]:
    own = [(system, row) for system, cells in found.items() for row in _names(cells) if SYSTEM in row]
    first = next(iter(found))
    shared = [(first, row) for row in _names(found[first]) if SYSTEM not in row]
    for system, row in [*own, *shared]:
        printed = row.replace(SYSTEM, printed_as(spec, layout, system))
        cells = {}
        for column in [*spec.columns, *spec.extra]:
            value = published.beside(layout, corpus, spec.number, column, printed)
            cells[column] = replace(_cell(found[system].get((row, column))), published=value)
        label = row.replace(SYSTEM, layout.systems[system].label)
        yield Row(corpus, layout.corpora[corpus], label, cells, system if SYSTEM in row else "")


def _names(cells: Cells) -> list[str]:
    return list(dict.fromkeys(row for row, _ in cells))


def _cell(measured: Measured | None) -> Cell:
    if measured is None:
        return Cell()
    cell = over_seeds(measured.values, measured.errors)
    error = float(np.sqrt(np.mean(np.square(measured.errors)))) if measured.errors else None
    return replace(cell, error=error, items=measured.items)


def _printed_name(row: Row, spec: MeasureTable, layout: Layout) -> str:
    """Return the name under which the paper prints a row that was computed."""
    if not row.system:
        return row.label
    return row.label.replace(layout.systems[row.system].label, printed_as(spec, layout, row.system))


def _quoted(
    spec: MeasureTable, layout: Layout, corpus: str, published: Published, computed: Sequence[str]
) -> Iterator[Row]:
    label = layout.corpora[corpus]
    for system in published.systems(spec.number, layout.stands_for.get(corpus, label)):
        if system not in computed:
            cells = {
                column: Cell(published=published.beside(layout, corpus, spec.number, column, system))
                for column in [*spec.columns, *spec.extra]
            }
            yield Row(corpus, label, system + QUOTED, cells)


def _notes_of_errors(rows: Sequence[Row], columns: Sequence[str], digits: int) -> Iterator[str]:
    for column in columns:
        cells = [row.cells[column] for row in rows]
        errors = [cell.error for cell in cells if cell.error is not None]
        items = {cell.items for cell in cells if cell.items}
        if errors:
            among = f"{min(items):,}" if len(items) == 1 else f"{min(items):,} to {max(items):,}"
            yield f"{column}: standard error within a run at the most {max(errors):.{digits}f}, over {among} items."
