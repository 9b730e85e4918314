"""How tables of texts show a text."""

from pipeline_lib.text.ids import TURN

EMPTY = "(empty)"


def turns_apart(context: str) -> str:
    """Put a stroke between the turns of a context."""
    return context.replace(f" {TURN} ", " / ")
