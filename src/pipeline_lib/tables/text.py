"""Tables as text: Markdown that reads well in a terminal, LaTeX for a paper."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from pipeline_lib.tables.cells import Cell, Change, Row, Table
from pipeline_lib.tables.markup import escape_latex, escape_markdown, latex_table, pipe_table, tabular

# Places after the point that a column needs less than a ratio below 1.
FEWER_DIGITS = {"ppl": 2, "ppl-bound": 2, "ppl-importance": 2, "length": 2, "active-units": 2, "kl": 1}
PUBLISHED, DIFFERENCE = "published", "difference"  # lines beneath a system's own


def markdown(table: Table, digits: int) -> str:
    """Aligned pipe tables, one per corpus; the main columns first, the extra ones in a second block."""
    lines = [f"# {_number(table)}. {table.title}", ""]
    if table.name == "table1":
        lines += [*pipe_table(_plain_names(_transposed(table))), ""]
    else:
        for columns in filter(None, (table.columns, table.extra)):
            if columns is table.extra:
                lines += [f"# {table.extra_title}", ""]
            for label, rows in _by_corpus(table):
                shown = _plain_names(_lines(rows, columns, digits, _markdown_lead))
                lines += [f"## {escape_markdown(label)}", "", *pipe_table(shown), ""]
    return "\n".join([*lines, *(f"- {note}" for note in table.notes), ""])


def latex(table: Table, digits: int) -> str:
    """A booktabs table; needs ``\\usepackage{booktabs}``."""
    if table.name == "table1":
        blocks = [tabular([("", _tex_cells(_transposed(table)))])]
    else:
        blocks = [
            tabular(
                [(label, _tex_cells(_lines(rows, columns, digits, _plain_lead))) for label, rows in _by_corpus(table)]
            )
            for columns in filter(None, (table.columns, table.extra))
        ]
    return "% needs \\usepackage{booktabs}\n" + latex_table(table.title, blocks, table.notes)


def _lines(
    rows: Sequence[Row], columns: Sequence[str], digits: int, lead: Callable[[str, Cell], str]
) -> list[list[str]]:
    """Header, then for each system its figures and, where there are any, the published ones or the differences."""
    lines = [["System", *columns]]
    for row in rows:
        name = row.label + (f" ‡{row.collapsed}" if row.collapsed else "")
        cells = [row.cells[column] for column in columns]
        places = [max(1, digits - FEWER_DIGITS.get(column, 0)) for column in columns]
        lines.append([name, *(lead(c.text or _figure(c.mean, c.sd, p), c) for c, p in zip(cells, places, strict=True))])
        if any(cell.published for cell in cells):
            shown = [cell.published.text if cell.published else "" for cell in cells]
            lines.append([PUBLISHED, *shown])
        if any(cell.change for cell in cells):
            lines.append([DIFFERENCE, *(_change(c.change, p) for c, p in zip(cells, places, strict=True))])
    return lines


def _transposed(table: Table) -> list[list[str]]:
    """Table 1: a line per count, three columns per corpus that has published counts, one for any other."""
    header, columns = [""], []
    for row in table.rows:
        compared = any(cell.published for cell in row.cells.values())
        header += [row.label, PUBLISHED, DIFFERENCE] if compared else [row.label]
        columns.append((row, compared))
    lines = [header]
    for column in table.columns:
        line = [column]
        for row, compared in columns:
            cell = row.cells[column]
            line.append(_whole(cell.mean))
            if compared:
                line += [_whole(cell.published.value if cell.published else None), _whole(cell.difference, sign=True)]
        lines.append(line)
    return lines


def _plain_names(lines: Sequence[Sequence[str]]) -> list[list[str]]:
    """The same with the header and the first column escaped: labels are texts of the user's."""
    header, *others = lines
    return [[escape_markdown(name) for name in header], *([escape_markdown(name), *line] for name, *line in others)]


def _figure(mean: float | None, sd: float | None, places: int) -> str:
    if mean is None:
        return "–"
    return f"{mean:.{places}f}" + ("" if sd is None else f"±{sd:.{places}f}")


def _change(change: Change | None, places: int) -> str:
    if change is None:
        return ""
    shown = f"{round(change.difference, places) or 0.0:+.{places}f}".replace("-", "−")
    return (shown if shown.strip("+0.") else shown[1:]) + ("†" if change.significant else "")


def _whole(value: float | None, sign: bool = False) -> str:
    return "–" if value is None else f"{value:{'+' if sign else ''},.0f}"


def _markdown_lead(text: str, cell: Cell) -> str:
    return f"**{text}**" + ("†" if cell.lead == "real" else "") if cell.lead else text


def _plain_lead(text: str, cell: Cell) -> str:
    """A form that `_tex_cell` turns into bold after everything else is escaped."""
    return f"*{text}" + ("†" if cell.lead == "real" else "") if cell.lead else text


def _tex_cells(lines: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[_tex_cell(text) for text in line] for line in lines]


def _tex_cell(text: str) -> str:
    if text in (PUBLISHED, DIFFERENCE):
        return f"\\quad\\textit{{{text}}}"
    if not text.startswith("*"):
        return escape_latex(text)
    mark = "†" if text.endswith("†") else ""
    return f"\\textbf{{{escape_latex(text[1:].removesuffix('†'))}}}{escape_latex(mark)}"


def _by_corpus(table: Table) -> Iterable[tuple[str, list[Row]]]:
    for label, rows in groupby(table.rows, key=lambda row: row.corpus_label):
        yield label, list(rows)


def _number(table: Table) -> str:
    return table.name.replace("table", "Table ").capitalize()
