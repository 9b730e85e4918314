"""Values that would be taken for others than were meant: booleans for names and numbers, text for integers.

YAML reads the words yes, no, on and off as booleans, and pydantic takes true for 1 and "1" for 1.
"""

import re
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

KeyPath = tuple[str | int, ...]


class Untyped(str):
    """Text from the command line: Snakemake reads `--config seeds=[1,2]` as a list of texts."""


def untyped(value: Any) -> Any:
    """Mark all texts within a value from the command line."""
    if isinstance(value, dict):
        return {key: untyped(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [untyped(inner) for inner in value]
    return Untyped(value) if isinstance(value, str) else value


def misread(kind: Any, value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any, str]]:
    """Find booleans where a number or a name is wanted, and numbers in quotes where an integer is.

    Args:
        kind: annotation of the field that the value is for.
        path: keys and indices that lead to the value.
    Yields:
        Path and value, also within lists and mappings, and what to write.
    """
    wanted = alternatives(kind)
    if isinstance(value, bool):
        if message := _of_boolean(wanted, value):
            yield path, value, message
    elif isinstance(value, str):
        if (
            int in wanted
            and not isinstance(value, Untyped)
            and not _takes_text(wanted)
            and re.fullmatch(r"\s*[+-]?\d+\s*", value)
        ):
            yield path, value, f"{value!r} is text; write the number without quotes"
    elif isinstance(value, list | dict):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for inner in _inner(wanted, type(value)):
            for key, item in items:
                yield from misread(inner, item, (*path, key))


def alternatives(kind: Any) -> list[Any]:
    """List the members of a union, of any depth, without their annotations."""
    if get_origin(kind) is Annotated:
        return alternatives(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [member for option in get_args(kind) for member in alternatives(option)]
    return [kind]


def _of_boolean(wanted: list[Any], value: bool) -> str:
    if bool in wanted or Any in wanted:
        return ""
    if _takes_text(wanted):
        words, one = ("yes, on and true", "on") if value else ("no, off and false", "no")
        return f'YAML reads the words {words} as a boolean; quote the word, such as "{one}"'
    if int in wanted or float in wanted:
        return f"{str(value).lower()} is not a number; write a number"
    return ""


def _takes_text(wanted: list[Any]) -> bool:
    return any(one is str or one is Any or get_origin(one) is Literal for one in wanted)


def _inner(wanted: list[Any], sort: type[list[Any]] | type[dict[Any, Any]]) -> list[Any]:
    """List the kinds of the items of those alternatives that are lists, or of the values of those that are mappings."""
    origins = (dict,) if sort is dict else (list, tuple)
    found = [get_args(one) for one in wanted if get_origin(one) in origins]
    return [arguments[-1] if sort is dict else arguments[0] for arguments in found if arguments]
