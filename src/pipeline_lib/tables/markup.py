"""Rows of text as Markdown and LaTeX tables, with what either language would read as markup escaped."""

from collections.abc import Sequence

_TEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "†": r"$^\dagger$",
    "◇": r"$^\diamond$",
    "‡": r"$^\ddagger$",
    "§": r"\S{}",
    "¶": r"\P{}",
    "−": r"$-$",
    "–": "--",
}
_MARKDOWN = frozenset("\\`*_{}[]<>|#~&")


def escape_latex(text: str) -> str:
    """Put ``text`` on one line, so that LaTeX prints it as it is."""
    return "".join(_TEX.get(character, character) for character in " ".join(text.split()))


def escape_markdown(text: str) -> str:
    """Put ``text`` on one line, so that Markdown and HTML print it as it is, in a cell of a table too."""
    return "".join(f"\\{character}" if character in _MARKDOWN else character for character in " ".join(text.split()))


def pipe_table(lines: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Print an aligned Markdown table; ``lines`` start with the header, the first ``left`` columns are flush left."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]

    def joined(line: Sequence[str]) -> str:
        cells = [
            text.ljust(w) if i < left else text.rjust(w) for i, (text, w) in enumerate(zip(line, widths, strict=True))
        ]
        return "| " + " | ".join(cells) + " |"

    rule = "|" + "|".join("-" * (w + 2) if i < left else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return [joined(lines[0]), rule, *(joined(line) for line in lines[1:])]


def tabular(blocks: Sequence[tuple[str, Sequence[Sequence[str]]]], columns: str = "") -> str:
    """Print a booktabs tabular of finished LaTeX cells.

    Args:
        blocks: (heading, lines) each; the lines of every block start with the header, which is printed once.
        columns: column specification; without one the first column is flush left and the others flush right.
    """
    width = len(blocks[0][1][0])
    columns = columns or "l" + "r" * (width - 1)
    lines = [f"\\begin{{tabular}}{{{columns}}}", "\\toprule", _tex_line(blocks[0][1][0])]
    for heading, block in blocks:
        lines.append("\\midrule")
        if heading:
            lines += [f"\\multicolumn{{{width}}}{{l}}{{\\textit{{{escape_latex(heading)}}}}} \\\\", "\\addlinespace"]
        lines += [_tex_line(line) for line in block[1:]]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"])


def latex_table(caption: str, blocks: Sequence[str], notes: Sequence[str]) -> str:
    """Print a floating table over both columns of a page, of finished ``blocks``; escapes caption and notes."""
    return "\n".join(
        [
            "\\begin{table*}",
            "\\centering\\footnotesize\\setlength{\\tabcolsep}{3pt}",
            f"\\caption{{{escape_latex(caption)}}}",
            "\\medskip\n\n".join(blocks),
            "\\par\\medskip\\raggedright\\scriptsize",
            *(f"{escape_latex(note.replace('`', ''))}\\\\" for note in notes),
            "\\end{table*}",
            "",
        ]
    )


def _tex_line(line: Sequence[str]) -> str:
    return " & ".join(line) + " \\\\"
