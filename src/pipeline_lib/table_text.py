"""Tables as text: Markdown that reads well in a terminal, LaTeX for a paper."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from pipeline_lib.tables import Cell, Row, Table

# Places after the point that a column needs less than a ratio below 1.
FEWER_DIGITS = {"ppl": 2, "ppl-bound": 2, "ppl-importance": 2, "length": 2, "active-units": 2, "kl": 1}
PUBLISHED = "published"
_TEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "†": r"$^\dagger$",
    "‡": r"$^\ddagger$",
    "–": "--",
}


def markdown(table: Table, digits: int) -> str:
    """Aligned pipe tables, one per corpus; the published shape first, what goes beyond it in a second block."""
    lines = [f"# {_number(table)}. {table.title}", ""]
    if table.name == "table1":
        lines += [*_pipe(_transposed(table)), ""]
    else:
        for columns in filter(None, (table.columns, table.extra)):
            if columns is table.extra:
                lines += ["# Beyond the published shape", ""]
            for label, rows in _by_corpus(table):
                lines += [f"## {label}", "", *_pipe(_lines(rows, columns, digits, _markdown_lead)), ""]
    return "\n".join([*lines, *(f"- {note}" for note in table.notes), ""])


def latex(table: Table, digits: int) -> str:
    """A booktabs table; needs ``\\usepackage{booktabs}``."""
    if table.name == "table1":
        blocks = [_tabular([("", _transposed(table))])]
    else:
        blocks = [
            _tabular([(label, _lines(rows, columns, digits, _plain_lead)) for label, rows in _by_corpus(table)])
            for columns in filter(None, (table.columns, table.extra))
        ]
    notes = [f"{_escape(note.replace('`', ''))}\\\\" for note in table.notes]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            "\\begin{table*}",
            "\\centering\\footnotesize\\setlength{\\tabcolsep}{3pt}",
            f"\\caption{{{_escape(table.title)}}}",
            "\\medskip\n\n".join(blocks),
            "\\par\\medskip\\raggedright\\scriptsize",
            *notes,
            "\\end{table*}",
            "",
        ]
    )


def _lines(
    rows: Sequence[Row], columns: Sequence[str], digits: int, lead: Callable[[str, Cell], str]
) -> list[list[str]]:
    """Header, then for each system its figures and, where there are any, the published ones."""
    lines = [["System", *columns]]
    for row in rows:
        name = row.label + (f" ‡{row.collapsed}" if row.collapsed else "")
        cells = [row.cells[column] for column in columns]
        places = [max(1, digits - FEWER_DIGITS.get(column, 0)) for column in columns]
        lines.append([name, *(lead(_figure(c.mean, c.sd, p), c) for c, p in zip(cells, places, strict=True))])
        if any(cell.published for cell in cells):
            shown = [cell.published.text if cell.published else "" for cell in cells]
            lines.append([PUBLISHED, *shown])
    return lines


def _transposed(table: Table) -> list[list[str]]:
    """Table 1: a line per count, three columns per corpus that has published counts, one for any other."""
    header, columns = [""], []
    for row in table.rows:
        compared = any(cell.published for cell in row.cells.values())
        header += [row.label, PUBLISHED, "difference"] if compared else [row.label]
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


def _figure(mean: float | None, sd: float | None, places: int) -> str:
    if mean is None:
        return "–"
    return f"{mean:.{places}f}" + ("" if sd is None else f"±{sd:.{places}f}")


def _whole(value: float | None, sign: bool = False) -> str:
    return "–" if value is None else f"{value:{'+' if sign else ''},.0f}"


def _markdown_lead(text: str, cell: Cell) -> str:
    return f"**{text}**" + ("†" if cell.lead == "real" else "") if cell.lead else text


def _plain_lead(text: str, cell: Cell) -> str:
    """A form that `_tex_cell` turns into bold after everything else is escaped."""
    return f"*{text}" + ("†" if cell.lead == "real" else "") if cell.lead else text


def _pipe(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]

    def joined(line: Sequence[str]) -> str:
        cells = [
            text.ljust(w) if i == 0 else text.rjust(w) for i, (text, w) in enumerate(zip(line, widths, strict=True))
        ]
        return "| " + " | ".join(cells) + " |"

    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return [joined(lines[0]), rule, *(joined(line) for line in lines[1:])]


def _tabular(blocks: Sequence[tuple[str, Sequence[Sequence[str]]]]) -> str:
    width = len(blocks[0][1][0])
    lines = [f"\\begin{{tabular}}{{l{'r' * (width - 1)}}}", "\\toprule", _tex_line(blocks[0][1][0])]
    for label, block in blocks:
        lines.append("\\midrule")
        if label:
            lines += [f"\\multicolumn{{{width}}}{{l}}{{\\textit{{{_escape(label)}}}}} \\\\", "\\addlinespace"]
        lines += [_tex_line(line) for line in block[1:]]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"])


def _tex_line(line: Sequence[str]) -> str:
    return " & ".join(_tex_cell(text) for text in line) + " \\\\"


def _tex_cell(text: str) -> str:
    if text == PUBLISHED:
        return r"\quad\textit{published}"
    if not text.startswith("*"):
        return _escape(text)
    mark = "†" if text.endswith("†") else ""
    return f"\\textbf{{{_escape(text[1:].removesuffix('†'))}}}{_escape(mark)}"


def _escape(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in text)


def _by_corpus(table: Table) -> Iterable[tuple[str, list[Row]]]:
    for label, rows in groupby(table.rows, key=lambda row: row.corpus_label):
        yield label, list(rows)


def _number(table: Table) -> str:
    return table.name.replace("table", "Table ")
