"""Tables as Markdown that reads well in a terminal."""

from collections.abc import Sequence

from pipeline_lib.tables.cells import Block, Cell, Table
from pipeline_lib.tables.lines import Lines, blocks, by_corpus, corpus_lines, signature_lines, system_lines
from pipeline_lib.tables.markup import escape_markdown, pipe_table


def markdown(table: Table) -> str:
    """Print aligned pipe tables, one per corpus; the main columns first, further ones in a second block."""
    notes = [*table.notes, *signature_lines(table)]
    lines = [f"# {escape_markdown(table.heading)}", "", *_body(table), *(f"- {note}" for note in notes), ""]
    return "\n".join(lines)


def _body(table: Table) -> list[str]:
    if table.kind == "counts":
        return [*pipe_table(_plain_names(corpus_lines(table))), ""]
    lines: list[str] = []
    for title, columns in blocks(table) if table.rows else ():
        lines += [f"# {title}", ""] if title else []
        for label, rows in by_corpus(table):
            shown = _plain_names(system_lines(rows, columns, _marked))
            lines += [f"## {escape_markdown(label)}", ""] if label else []
            lines += [*pipe_table(shown), ""]
    for section in table.sections:
        lines += [f"## {escape_markdown(section.title)}", ""]
        lines += [section.introduction, ""] if section.introduction else []
        for block in section.blocks:
            lines += _block(block, table.is_prose)
    return lines


def _block(block: Block, is_prose: bool) -> list[str]:
    lines = [f"### {escape_markdown(block.title)}", ""]
    if block.listed:
        lines += [f"{block.introduction}:", "", *(f"- {escape_markdown(text)}" for text in block.listed), ""]
    cells = [[escape_markdown(cell) for cell in line] for line in block.lines]
    return [*lines, *pipe_table(cells, left=len(cells[0]) if is_prose else 1), ""]


def _plain_names(lines: Sequence[Sequence[str]]) -> Lines:
    """Escape the header and the first column: labels are texts of the user's."""
    header, *others = lines
    return [[escape_markdown(name) for name in header], *([escape_markdown(name), *line] for name, *line in others)]


def _marked(text: str, cell: Cell) -> str:
    return f"**{text}**{cell.mark}" if cell.lead else text
