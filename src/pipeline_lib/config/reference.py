"""Writes what is derived from the typed configuration: its JSON schema and the table of every key.

python -m pipeline_lib.config.reference
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline_lib.config.run import Config

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT / "workflow/schemas/config.schema.json"
README = ROOT / "config/README.md"

INTRODUCTION = """\
# Configuration

`config.yaml` describes the default run; `--configfile config/<overlay>.yaml` lays other values over it. Every key is
checked before anything runs: an unknown one is an error that names the nearest. Integers are below 2^31.

The tables below list every key. `<name>` stands for a name that you choose; it becomes part of paths. A system's
`options` are those of its model and are described with the model.

This file is generated from `src/pipeline_lib/config/` by `python -m pipeline_lib.config.reference`; do not edit it.
"""


def schema_text() -> str:
    """The JSON schema of the whole configuration."""
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **_schema()}, indent=2) + "\n"


def readme_text() -> str:
    """Markdown: one table for each section, a row for each key with type, default and meaning."""
    schema = _schema()
    return "\n".join([INTRODUCTION, *_section("", schema, schema["$defs"])])


def _schema() -> dict[str, Any]:
    return Config.model_json_schema()


def _section(path: str, section: dict[str, Any], known: dict[str, Any]) -> Iterator[str]:
    rows, inner = [], []
    for key, field in section["properties"].items():
        suffix, name = _subsection(field)
        for kind, one in _kinds(field) or [("", name)] if name else ():
            inner.append((f"{path}.{key}{suffix}".lstrip(".") + kind, known[one]))
        is_section = name and not suffix and "default" in field and field["default"] is not None
        default = "required" if key in section.get("required", ()) else _default(field, bool(is_section))
        meaning = field.get("description") or (known[name]["description"].splitlines()[0] if name else "")
        rows.append("| " + " | ".join([f"`{key}`", _type(field), default, _cell(meaning)]) + " |")
    yield f"## {'`' + path + '`' if path else 'Top level'}\n"
    if path:
        yield section["description"].replace("``", "`") + "\n"
    yield "| key | type | default | meaning |\n| --- | --- | --- | --- |"
    yield "\n".join(rows) + "\n"
    for inner_path, inner_section in inner:
        yield from _section(inner_path, inner_section, known)


def _subsection(field: dict[str, Any]) -> tuple[str, str]:
    """How the keys of a section within ``field`` are reached from it, and the section's name, if there is one."""
    if "$ref" in field:
        return "", field["$ref"].rpartition("/")[2]
    if "items" in field:
        suffix, name = _subsection(field["items"])
        return "[]" + suffix, name
    values = field.get("additionalProperties") or field.get("patternProperties")
    if isinstance(values, dict):
        suffix, name = _subsection(next(iter(values.values())) if "patternProperties" in field else values)
        return ".<name>" + suffix, name
    options = (*field.get("anyOf", ()), *field.get("oneOf", ()))
    return next((found for option in options if (found := _subsection(option))[1]), ("", ""))


def _kinds(field: dict[str, Any]) -> list[tuple[str, str]]:
    """What a section may be that has several kinds: how the heading names each, and its name."""
    mapping = field.get("discriminator", {}).get("mapping", {})
    return [(f": {{kind: {kind}}}", reference.rpartition("/")[2]) for kind, reference in mapping.items()]


def _type(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_type(option) for option in field["anyOf"])
    if "oneOf" in field:
        return "section"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "prefixItems" in field:
        return f"[{', '.join(_type(item) for item in field['prefixItems'])}]"
    if "const" in field:
        return f"`{field['const']}`"
    kind = "section" if "$ref" in field else field.get("type", "any")
    if kind == "array":
        return f"list of {_type(field['items'])}"
    if kind == "object":
        keys = ", ".join(f"`{key}`" for key in field.get("propertyNames", {}).get("enum", ()))
        return "section of named sections" if _subsection(field)[1] else "mapping" + (f" of {keys}" if keys else "")
    names = {"string": "text", "number": "number", "integer": "integer", "boolean": "true or false"}
    return names.get(kind, kind) + _bounds(field)


def _bounds(field: dict[str, Any]) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    bounds = [f"{sign} {field[key]}" for key, sign in signs.items() if key in field and field[key] != 2**31]
    return " " + ", ".join(bounds) if bounds else ""


def _default(field: dict[str, Any], is_section: bool) -> str:
    return "see below" if is_section else f"`{json.dumps(field.get('default'), ensure_ascii=False)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("``", "`")


def main() -> None:
    """Write both files into the repository."""
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    README.write_text(readme_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
