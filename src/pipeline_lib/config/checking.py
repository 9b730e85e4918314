"""Values against the sections they are meant for: faults named with the key, and the nearest known one."""

import math
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pipeline_lib.config.settings import Settings
from pipeline_lib.errors import PipelineError, did_you_mean

S = TypeVar("S", bound="Settings")
_MOST_VALUES = 100_000
_DEEPEST = 32


def check_plain(values: Any, where: str) -> None:
    """Refuse what JSON would change or YAML's anchors multiply, before anything copies or prints it."""
    seen = 0
    waiting: list[tuple[str, int, Any]] = [("", 0, values)]
    while waiting:
        path, depth, value = waiting.pop()
        seen += 1
        if seen > _MOST_VALUES or depth > _DEEPEST:
            raise PipelineError(
                f"more than {_MOST_VALUES:,} values" if depth <= _DEEPEST else f"{path[:80]}…: nested too deep",
                where=where,
                expected=f"{_MOST_VALUES:,} values at the most, {_DEEPEST} deep",
                remedy="look for an anchor (&name) that contains itself, or aliases (*name) that multiply",
            )
        if isinstance(value, dict):
            if odd := [key for key in value if not isinstance(key, str)]:
                raise _not_plain(f"{path}{odd[0]!r}", "key", odd[0], where)
            waiting += [(f"{path}{key}.", depth + 1, inner) for key, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{path}{index}.", depth + 1, inner) for index, inner in enumerate(value)]
        elif not isinstance(value, str | int | float | None) or not _passes_json(value):
            raise _not_plain(path.removesuffix("."), "value", value, where)


def _passes_json(value: str | int | float | None) -> bool:
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    return value is None or (math.isfinite(value) if isinstance(value, float) else -(2**63) <= value < 2**63)


def _not_plain(path: str, part: str, value: Any, where: str) -> PipelineError:
    return PipelineError(
        f"{path[:200]}: a {part} of type {type(value).__name__} that is no plain text or number",
        where=where,
        expected="texts, finite numbers of at most 64 bits, true, false, null, lists and sections with names as keys",
        remedy="correct it; quote what is meant as text, such as dates and numbers that are names",
    )


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the values of ``over`` in place of its own, section within section.

    A section of another ``kind`` replaces the one before it as a whole, whose keys the new kind may not have.
    """
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both and _same_kind(merged[key], value) else value
    return merged


def _same_kind(base: dict[str, Any], over: dict[str, Any]) -> bool:
    return "kind" not in base or over.get("kind", base["kind"]) == base["kind"]


def overridden(kind: type[S], base: S, own: dict[str, Any], where: str) -> S:
    """``base`` with the values of ``own`` in place of its own; errors as `validated`."""
    if not own:
        return base
    return validated(kind, merge(base.model_dump(), own), where)


def validated(kind: type[S], values: dict[str, Any], where: str) -> S:
    """``values`` as a section of that kind.

    Raises:
        PipelineError: they are not one; names the key.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise _explained(error, where, kind) from None


def _explained(error: ValidationError, where: str, root: type[Settings]) -> PipelineError:
    faults = error.errors()
    # a misspelt required key is reported as missing and as unknown; the latter tells the user what to do
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    path = ".".join(str(part) for part in first["loc"])
    more = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
    if first["type"] == "extra_forbidden":
        known = _known_keys(root, first["loc"][:-1])
        return PipelineError(
            f"unknown key {path!r}{more}",
            where=where,
            expected=did_you_mean(str(first["loc"][-1]), known),
            remedy="rename or remove the key; config/README.md lists every key",
        )
    message = first["msg"].removeprefix("Value error, ")
    found = "" if first["type"] == "missing" else f"; found {str(first['input'])[:120]!r}"
    return PipelineError(
        (f"{path}: {message}" if path else message) + more,
        where=where,
        expected=f"{path or 'the keys'} as in config/README.md" + (found if path else ""),
        remedy="correct the value" if found else "add the key",
    )


def _known_keys(kind: Any, path: tuple[Any, ...]) -> list[str]:
    """Field names of the section at ``path``, through dictionaries, lists and optional sections."""
    from typing import get_args

    for part in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel) and part in kind.model_fields:
            kind = kind.model_fields[str(part)].annotation
            continue
        inner = [a for a in get_args(kind) if isinstance(a, type) and issubclass(a, BaseModel)]
        kind = inner[0] if inner else next((a for a in get_args(kind) if get_args(a)), kind)
    models = [kind, *get_args(kind)]
    found = next((m for m in models if isinstance(m, type) and issubclass(m, BaseModel)), None)
    return list(found.model_fields) if found else []
