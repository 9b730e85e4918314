"""Values against the sections they are meant for: faults named with the key, and the nearest known one."""

import math
import re
from collections.abc import Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError

from pipeline_lib.config.misread import alternatives
from pipeline_lib.config.places import Where
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
                expected=f"{_MOST_VALUES:,} values at most, {_DEEPEST} deep",
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
        f"{path[:200]}: a {part} of type {type(value).__name__} that is not plain text or a number",
        where=where,
        expected="texts, finite numbers of at most 64 bits, true, false, null, lists and sections with names as keys",
        remedy="correct it; quote what is meant as text, such as dates, numbers that are names, and the words yes, no, "
        "on and off, which YAML reads as booleans",
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


def overridden(kind: Any, base: S, own: dict[str, Any], where: str, section: str = "") -> S:
    """Return ``base`` with the values of ``own`` in place of its own; errors as `validated`.

    Args:
        where: key of the configuration that has ``own``, or the sections of which ``own`` is one.
    """
    if own == {}:
        return base
    above = [where, section] if section else [where]

    def place(*paths: Sequence[str]) -> str:
        return ".".join([*above, *(paths[0] if paths else ())])

    if not isinstance(own, dict):
        raise PipelineError(
            f"{section}: {own!r}",
            where=place(),
            expected="keys of that section and their values",
            remedy="correct the value",
        )
    merged = merge({section: base.model_dump()}, {section: own})  # under a key: of another kind, `own` replaces all
    return validated(kind, merged[section], place, section)


def validated(kind: Any, values: Any, where: Where, section: str = "") -> Any:
    """Return ``values`` as a section of that kind.

    Args:
        kind: a class of settings, or a union of some.
        where: what to name as the place of a fault; or gives it, from the paths of the faulty keys within ``values``.
        section: the key that the values are under.
    Raises:
        PipelineError: they are not one; names the key.
    """
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        raise _explained(error, where, kind, values, section) from None


def _explained(error: ValidationError, where: Where, root: Any, values: Any, section: str) -> PipelineError:
    faults = error.errors()
    # a misspelt required key is reported as missing and as unknown; the latter tells the user what to do
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    message = first["msg"].removeprefix("Value error, ")
    keys = _keys_along(values, first["loc"], missing=first["type"] == "missing")
    place = where if isinstance(where, str) else where(*([keys] if keys else _keys_of_message(message)))
    path = ".".join(filter(None, [section, *keys]))
    more = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
    if first["type"] == "extra_forbidden":
        return PipelineError(
            f"unknown key {path!r}{more}",
            where=place,
            expected=did_you_mean(keys[-1], _known_keys(root, first["loc"][:-1])),
            remedy="rename or remove the key; config/README.md lists every key",
        )
    found = "" if first["type"] == "missing" else f"; found {str(first['input'])[:120]!r}"
    return PipelineError(
        (f"{path}: {message}" if path else message) + more,
        where=place,
        expected=f"{path or 'the keys'} as in config/README.md" + (found if path else ""),
        remedy="correct the value" if found else "add the key; a section of another `kind:` takes no key over",
    )


def _keys_of_message(message: str) -> list[list[str]]:
    """Return the keys that a check of several sections, which has no place of its own, begins its message with."""
    found = re.match(r"[\w.-]+(, [\w.-]+)*(?=: )", message)
    return [path.split(".") for path in found[0].split(", ")] if found else []


def _keys_along(values: Any, location: Sequence[int | str], *, missing: bool) -> list[str]:
    """Return the keys of ``location`` as the user wrote them, without the names that pydantic gives to alternatives.

    Args:
        missing: whether the last of them is a key that the user did not write.
    """
    keys = []
    for part in location:
        in_mapping = isinstance(values, dict) and part in values
        in_list = isinstance(values, list | tuple) and isinstance(part, int) and part < len(values)
        if in_mapping or in_list:
            values = values[part]
            keys.append(str(part))
        elif part == "[key]":
            keys.append(part)
    return [*keys, str(location[-1])] if missing else keys


def _known_keys(kind: Any, location: Sequence[int | str]) -> list[str]:
    """List the keys of the section at ``location``, through mappings, lists and alternatives."""
    reached = alternatives(kind)
    for part in location:
        inner: list[Any] = []
        for one in reached:
            if isinstance(one, type) and issubclass(one, BaseModel):
                fields = {field.alias or name: field for name, field in one.model_fields.items()}
                if part in fields:
                    inner += alternatives(fields[str(part)].annotation)
                elif "kind" in fields and part in get_args(fields["kind"].annotation):
                    inner.append(one)  # the alternative that pydantic names by its kind
            else:
                inner += [option for argument in get_args(one)[-1:] for option in alternatives(argument)]
        reached = inner or reached
    models = [one for one in reached if isinstance(one, type) and issubclass(one, BaseModel)]
    return list(dict.fromkeys(field.alias or name for model in models for name, field in model.model_fields.items()))
