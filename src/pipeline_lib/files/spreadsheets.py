"""Texts that a spreadsheet would take for formulas, in CSV that people open with one."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that starts so is computed


def inert(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would compute."""
    return "'" + text if text.startswith(_FORMULA) else text


def plain(text: str) -> str:
    """Take away the apostrophe that `inert` put there."""
    return text[1:] if text.startswith("'") and inert(text[1:]) == text else text
