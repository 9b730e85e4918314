"""Contexts of several turns, as people read them."""

from pipeline_lib.text.ids import TURN


def turns_apart(context: str) -> str:
    """Put a stroke between the turns of a context."""
    return context.replace(f" {TURN} ", " / ")
