"""Differences between nested dictionaries, entry by entry."""

from collections.abc import Iterator
from typing import Any, NamedTuple

ABSENT = object()


class ChangedEntry(NamedTuple):
    """One entry that differs; ``ABSENT`` on the side that lacks it."""

    key: str  # dotted
    first: Any
    second: Any


def changes(first: Any, second: Any, key: str = "") -> Iterator[ChangedEntry]:
    """List entries of two nested dictionaries that differ; what only one side has is one entry."""
    if isinstance(first, dict) and isinstance(second, dict):
        for name in dict.fromkeys([*first, *second]):
            dotted = f"{key}.{name}" if key else str(name)
            yield from changes(first.get(name, ABSENT), second.get(name, ABSENT), dotted)
    elif first != second:
        yield ChangedEntry(key, first, second)
