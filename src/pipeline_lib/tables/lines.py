"""Rows of values as lines of texts, which Markdown and LaTeX print alike."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from pipeline_lib.tables.caveats import marks_of
from pipeline_lib.tables.cells import Cell, Change, Column, Row, Table, has_published

PUBLISHED, DIFFERENCE = "published", "difference"  # lines below a system's own
Lines = list[list[str]]  # the header first


def blocks(table: Table) -> Iterator[tuple[str, list[Column]]]:
    """Give the columns of the published shape, then those beyond it with their title."""
    yield "", table.columns
    if table.extra:
        yield table.extra_title, table.extra


def by_corpus(table: Table) -> Iterator[tuple[str, list[Row]]]:
    """Give the rows of each corpus with its label."""
    for label, rows in groupby(table.rows, key=lambda row: row.corpus_label):
        yield label, list(rows)


def system_lines(rows: Sequence[Row], columns: Sequence[Column], lead: Callable[[str, Cell], str]) -> Lines:
    """Print a line for each system and, where there are any, one with the published values or the differences.

    Args:
        lead: marks the text of a cell that leads its column.
    """
    lines = [["System", *(column.name for column in columns)]]
    for row in rows:
        name = " ".join([row.label, *(mark for mark, _ in marks_of(row.caveats))])
        cells = [row.cells[column.name] for column in columns]
        both = list(zip(cells, columns, strict=True))
        lines.append([name, *(lead(cell.text or _value(cell, column.places), cell) for cell, column in both)])
        if any(cell.published for cell in cells):
            lines.append([PUBLISHED, *(cell.published.text if cell.published else "" for cell in cells)])
        if any(cell.change for cell in cells):
            lines.append([DIFFERENCE, *(_change(cell.change, column.places) for cell, column in both)])
    return lines


def corpus_lines(table: Table) -> Lines:
    """Print a line for each count; three columns for a corpus that has published counts, one for any other."""
    header = [""]
    for row, is_compared in _compared(table):
        header += [row.label, PUBLISHED, DIFFERENCE] if is_compared else [row.label]
    lines = [header]
    for column in table.shown:
        line = [column.name]
        for row, is_compared in _compared(table):
            cell = row.cells[column.name]
            line.append(_whole(cell.mean))
            if is_compared:
                line += [_printed_whole(cell), _whole(cell.difference, sign=True)]
        lines.append(line)
    return lines


def signature_lines(table: Table) -> list[str]:
    """Name the settings behind each column, with the corpora that they hold for where they differ."""
    lines = []
    for column in {column.metric: column for column in table.shown if column.metric}.values():
        for signature in sorted(set(column.signatures.values())):
            corpora = [label for label, own in column.signatures.items() if own == signature]
            where = f" ({', '.join(corpora)})" if len(set(column.signatures.values())) > 1 else ""
            lines.append(f"{column.metric}{where}: `{signature}`")
    return lines


def _compared(table: Table) -> list[tuple[Row, bool]]:
    return [(row, has_published(row)) for row in table.rows]


def _value(cell: Cell, places: int) -> str:
    if cell.mean is None:
        return "–"
    return f"{cell.mean:.{places}f}" + ("" if cell.sd is None else f"±{cell.sd:.{places}f}")


def _change(change: Change | None, places: int) -> str:
    if change is None:
        return ""
    shown = f"{round(change.difference, places) or 0.0:+.{places}f}".replace("-", "−")
    return (shown if shown.strip("+0.") else shown[1:]) + change.mark


def _printed_whole(cell: Cell) -> str:
    if cell.published is None or cell.published.value is None:
        return cell.published.text if cell.published else "–"
    return _whole(cell.published.value)


def _whole(value: float | None, sign: bool = False) -> str:
    return "–" if value is None else f"{value:{'+' if sign else ''},.0f}"
