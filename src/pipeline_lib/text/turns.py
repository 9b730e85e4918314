"""Contexts of several turns."""

from collections.abc import Iterable

from pipeline_lib.text.ids import TURN

_BETWEEN = f" {TURN} "


def joined_turns(turns: Iterable[str]) -> str:
    """Make one context of turns, of tokens joined by one space."""
    return _BETWEEN.join(turns)


def turns_of(context: str) -> list[str]:
    """Take a context apart."""
    return context.split(_BETWEEN)


def last_turn(context: str) -> str:
    """Return the turn that is answered."""
    return turns_of(context)[-1]


def turns_apart(context: str) -> str:
    """Put a stroke between the turns of a context, for people to read."""
    return context.replace(_BETWEEN, " / ")
