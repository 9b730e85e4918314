"""The files derived from the typed configuration: its JSON schema and the table of every key.

python -m pipeline_lib reference
"""

import argparse
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline_lib.config.papers import Paper
from pipeline_lib.config.run import Config

PACKAGE = Path(__file__).parents[1]
ROOT = PACKAGE.parents[1]
SCHEMA = ROOT / "workflow/schemas/config.schema.json"
README = ROOT / "config/README.md"

INTRODUCTION = """\
# Configuration

A run is a paper and one of its presets: `papers/<paper>/paper.yaml` declares systems, tables and figures,
`papers/<paper>/<preset>.yaml` chooses corpora and sizes. A value may come from five places. A later one takes
precedence:

1. the defaults below, and the corpora of `config/corpora.yaml`, which are the `sources:` of every run
2. `paper.yaml`
3. the preset, after the one that it `extends:`
4. `config.yaml`, then every `--configfile`
5. `--config key=value`

Any key may be given in any of them. Every key is checked before anything runs, the options of models, figures and
analyses and the names of metrics too: an error names the file, the key and the nearest valid value. Integers are below
2^31.

The tables below list every key. `<name>` stands for a name that you choose; it becomes part of paths. A system's
`options` are those of its model; below are the models that the project has. A preset has one key more: `extends`, the
name of the preset of the same paper that it builds on.

YAML reads the words yes, no, on and off as booleans. Quote them where they are names.

This file is generated from `src/pipeline_lib/` by `python -m pipeline_lib reference`; do not edit it.
"""
OF_PAPER = "Keys of paper.yaml"
OF_PRESET = "Keys of a run and its preset"
SYSTEM = "systems.<name>"  # section of a system, whose model has options of its own
KINDS = ("analyses", "figures")  # folders of kinds whose options have a section of their own


def schema_text() -> str:
    """Return the JSON schema of the whole configuration."""
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **_schema()}, indent=2) + "\n"


def readme_text() -> str:
    """Return Markdown: a table for each section, a row for each key with type, default and meaning."""
    schema = _schema()
    own = {title: {**schema, "properties": _keys(schema, title == OF_PAPER)} for title in (OF_PAPER, OF_PRESET)}
    sections = [line for title, part in own.items() for line in _section("", part, schema["$defs"], title)]
    return "\n".join([INTRODUCTION, *sections])


def _schema() -> dict[str, Any]:
    return Config.model_json_schema(by_alias=True)


def _keys(schema: dict[str, Any], of_paper: bool) -> dict[str, Any]:
    return {key: field for key, field in schema["properties"].items() if (key in Paper.model_fields) == of_paper}


def _section(path: str, section: dict[str, Any], known: dict[str, Any], title: str = "") -> Iterator[str]:
    rows, inner = [], []
    for key, field in section.get("properties", {}).items():
        suffix, name = _subsection(field)
        for kind, one in _kinds(field) or [("", name)] if name else ():
            inner.append((f"{path}.{key}{suffix}".lstrip(".") + kind, known[one]))
        is_section = name and not suffix and "default" in field and field["default"] is not None
        default = "required" if key in section.get("required", ()) else _default(field, bool(is_section))
        meaning = field.get("description") or (known[name]["description"].splitlines()[0] if name else "")
        rows.append("| " + " | ".join([f"`{key}`", _type(field), default, _cell(meaning)]) + " |")
    yield f"## {title or f'`{path}`'}\n"
    if not title:
        yield section["description"].replace("``", "`") + "\n"
    if rows:
        yield "| key | type | default | meaning |\n| --- | --- | --- | --- |"
        yield "\n".join(rows) + "\n"
    for inner_path, inner_section in inner:
        yield from _section(inner_path, inner_section, known)
        yield from _options_of_kinds(inner_path)
        if inner_path == SYSTEM:
            yield from _options_of_models()


def _options_of_kinds(path: str) -> Iterator[str]:
    """Describe the options of every kind of analysis or figure, behind the section that names the kind."""
    folder = path.removesuffix(".<name>")
    for file in sorted((PACKAGE / folder).glob("*.py")) if folder in KINDS else ():
        options = getattr(importlib.import_module(f"{PACKAGE.name}.{folder}.{file.stem}"), "Options", None)
        if options is not None and options.model_fields:
            schema = options.model_json_schema()
            yield from _section(f"{path}.options: {{kind: {file.stem}}}", schema, schema.get("$defs", {}))


def _options_of_models() -> Iterator[str]:
    """Describe the options of every model, behind the section of a system."""
    for file in sorted((PACKAGE / "models").glob("*.py")):
        module = importlib.import_module(f"{PACKAGE.name}.models.{file.stem}")
        own = {name: kind for name, kind in vars(module).items() if getattr(kind, "__module__", "") == module.__name__}
        for name, kind in own.items():
            if isinstance(kind, type) and "Options" in vars(kind) and vars(kind)["Options"].model_fields:
                schema = vars(kind)["Options"].model_json_schema()
                schema["description"] = (kind.__doc__ or "").splitlines()[0]
                title = f"{SYSTEM}.options: {{model: {module.__name__}:{name}}}"
                yield from _section(title, schema, schema.get("$defs", {}))


def _subsection(field: dict[str, Any]) -> tuple[str, str]:
    """Return how the keys of a section within ``field`` are reached from it, and the section's name, if any."""
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
    """List what a section of several kinds may be: how the heading names each, and its name."""
    if isinstance(values := field.get("additionalProperties") or field.get("patternProperties"), dict):
        return _kinds(next(iter(values.values())) if "patternProperties" in field else values)
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


def run() -> None:
    """Write both files into the repository."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    README.write_text(readme_text(), encoding="utf-8")
