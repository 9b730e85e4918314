"""Tables as LaTeX for a paper: booktabs floats."""

from collections.abc import Sequence
from itertools import chain

from pipeline_lib.tables.cells import MARKS, Block, Cell, Section, Table
from pipeline_lib.tables.lines import (
    DIFFERENCE,
    PUBLISHED,
    Lines,
    blocks,
    by_corpus,
    corpus_lines,
    signature_lines,
    system_lines,
)
from pipeline_lib.tables.markup import escape_latex, latex_table, tabular


def latex(table: Table) -> str:
    """Print the table; its first line says which packages it needs."""
    needs = f"% needs \\usepackage{{{'array,' if table.is_prose else ''}booktabs}}"
    notes = [*table.notes, *signature_lines(table)]
    if table.rows:
        return f"{needs}\n" + latex_table(table.title, _tabulars(table), notes)
    last = max((i for i, section in enumerate(table.sections) if section.blocks), default=0)
    floats = [_floats(table, section, notes if i == last else []) for i, section in enumerate(table.sections)]
    return "\n".join([needs, *chain.from_iterable(floats)])


def _tabulars(table: Table) -> list[str]:
    if table.kind == "counts":
        return [tabular([("", _tex_cells(corpus_lines(table)))])]
    return [
        tabular([(label, _tex_cells(system_lines(rows, columns, _marked))) for label, rows in by_corpus(table)])
        for _, columns in blocks(table)
    ]


def _floats(table: Table, section: Section, notes: Sequence[str]) -> list[str]:
    """Print a float for each corpus or, of texts that wrap, one for each block; the notes go below the last."""
    if not table.is_prose:
        grids = [tabular([(block.title, _escaped(block.lines))]) for block in section.blocks]
        return [latex_table(f"{table.title}, {section.title}", grids, notes)]
    floats = [f"% {escape_latex(section.title)}: {section.introduction}"]
    for block in section.blocks:
        caption = f"{section.title}, {block.introduction}" if block.introduction else section.title
        floats.append(latex_table(caption, _wrapped(block), notes if block is section.blocks[-1] else []))
    return floats


def _wrapped(block: Block) -> list[str]:
    width = f">{{\\raggedright\\arraybackslash}}p{{{0.7 / (len(block.lines[0]) - 1):.3f}\\textwidth}}"
    grid = tabular([("", _escaped(block.lines))], "l" + width * (len(block.lines[0]) - 1))
    if not block.listed:
        return [grid]
    texts = [["", f"\\textbf{{{escape_latex(block.title)}}}"], *(["", escape_latex(text)] for text in block.listed)]
    return [tabular([("", texts)], "l>{\\raggedright\\arraybackslash}p{0.7\\textwidth}"), grid]


def _escaped(lines: Sequence[Sequence[str]]) -> Lines:
    return [[escape_latex(cell) for cell in line] for line in lines]


def _marked(text: str, cell: Cell) -> str:
    """Mark a lead so that `_tex_cell` makes it bold after everything else is escaped."""
    return f"*{text}{cell.mark}" if cell.lead else text


def _tex_cells(lines: Sequence[Sequence[str]]) -> Lines:
    return [[_tex_cell(text) for text in line] for line in lines]


def _tex_cell(text: str) -> str:
    if text in (PUBLISHED, DIFFERENCE):
        return f"\\quad\\textit{{{text}}}"
    if not text.startswith("*"):
        return escape_latex(text)
    mark = text[-1] if text[-1] in MARKS.values() else ""
    return f"\\textbf{{{escape_latex(text[1:].removesuffix(mark))}}}{escape_latex(mark)}"
