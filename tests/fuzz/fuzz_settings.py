"""The configuration: damaged YAML, values of every wrong kind in every place, and what a rule then makes of it."""

import copy
import json
from pathlib import Path
from typing import Any

from fuzz_promise import Reader, refused_or
from fuzz_strategies import HAZARDS, perhaps_damaged, phrases
from hypothesis import strategies as st

from pipeline_lib.config.checking import merge
from pipeline_lib.config.corpora import OVERRIDABLE
from pipeline_lib.config.loading import Layer, layers_of, load, read_yaml
from pipeline_lib.config.run import Config

ROOT = Path(__file__).parents[2]
DEFAULT: dict[str, Any] = {"paper": "sepacvae", "preset": "small"}
for _layer in layers_of(ROOT, "sepacvae", "small"):
    DEFAULT = merge(DEFAULT, _layer.values)
PLACES: list[tuple[Any, ...]] = []


def _walk(value: Any, path: tuple[Any, ...] = ()) -> None:
    if path:
        PLACES.append(path)
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        _walk(inner, (*path, key))


_walk(DEFAULT)


def _at(values: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        values = values[key]
    return values


def _json_of_stages(config: Config) -> None:
    """What the rules pass on comes back as it went."""
    for corpus in config.corpora:
        own = config.for_corpus(corpus)
        for section in OVERRIDABLE:
            settings = getattr(own, section)
            assert type(settings).model_validate_json(settings.model_dump_json()) == settings
        source = config.sources[corpus]
        assert type(source).model_validate_json(source.model_dump_json()) == source
    for system in config.systems.values():
        assert json.loads(json.dumps(system.options, allow_nan=False)) == system.options
    assert Config.model_validate_json(config.recorded()).systems == config.systems


def _check_values(folder: Path, values: dict[str, Any]) -> bool:
    config = refused_or(lambda: load([Layer("fuzzed.yaml", values)]))
    if config is None:
        return False
    _json_of_stages(config)
    return True


def _nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = {"a": value} if level % 2 else [value]
    return value


def _bomb() -> list[Any]:
    """A billion values in ten lists, as YAML's anchors make them."""
    level: list[Any] = [1]
    for _ in range(9):
        level = [level] * 10
    return level


def _cycle() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["again"] = value
    return value


_odd = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), phrases, st.sampled_from(HAZARDS), st.dates(), st.binary()),
    st.sampled_from([10**30, -1, 0, 2**31, 2**63, float("nan"), float("inf"), "\ud800", b"x", "a\nb", "..", "-x", "."]),
    st.builds(_nested, st.sampled_from([3, 60, 3_000])),
    st.builds(_bomb),
    st.builds(_cycle),
    st.lists(st.integers(-1, 3), max_size=3),
    st.dictionaries(st.one_of(phrases, st.integers(), st.none()), st.integers(), max_size=2),
)


@st.composite
def _values(draw: st.DrawFn) -> dict[str, Any]:
    values = copy.deepcopy(DEFAULT)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(PLACES))
        try:
            holder = _at(values, path[:-1])
            match draw(st.sampled_from(["replace", "replace", "remove", "add", "rename"])):
                case "replace":
                    holder[path[-1]] = draw(_odd)
                case "remove":
                    del holder[path[-1]]
                case "add" if isinstance(holder, dict):
                    holder[
                        draw(st.one_of(phrases, st.sampled_from(["options", "override", "network", "training"])))
                    ] = draw(_odd)
                case "rename" if isinstance(holder, dict):
                    holder[draw(st.one_of(phrases, st.integers(), st.none()))] = holder.pop(path[-1])
        except (KeyError, IndexError, TypeError, AttributeError):
            continue  # an earlier edit took that place away
    return values


# --- the file ------------------------------------------------------------------------------------------------------

_MINIMAL = b"""\
results: results
corpora: [e]
seeds: [1]
sources: {e: {reader: synthetic, label: E, licence: none, synthetic: {dialogues: 9}}}
systems:
  random: {label: "R", baseline: random, options: {x: 1}}
tables: {table2: {kind: scores, title: T, splits: [test], columns: [BLEU-1]}}
paper: p
preset: small
title: T
citation: C
"""
_FRAGMENTS = [
    *("a: &a [1]\nb: *a", "a: &a [*a]", "? [1]\n: 2", "? {a: 1}\n: 2", "!!python/object/apply:os.system [touch x]"),
    *(
        "!!binary x",
        "!!timestamp x",
        "!!int x",
        "!!float x",
        "!!bool x",
        "!!set {a}",
        "!!omap [a: 1]",
        "!!examples [a]",
    ),
    *("2024-99-99", "1:99:99", "0b2", "0o9", "1e999", ".nan", "-.inf", "'", '"\\ud800"', "%YAML 9.9", "---\na: 1\n---"),
    *(
        "{" * 300,
        "[" * 300,
        "- " * 300,
        "a: " * 50,
        "9" * 5000,
        "<<: {seeds: [1]}",
        "<<: 1",
        "seeds: [2]",
        "{x: 1, x: 2}",
        "!x y",
        "\t",
        "*b",
        "&a",
    ),
]


def _check_yaml(folder: Path, content: bytes) -> bool:
    path = folder / "config.yaml"
    path.write_bytes(content)
    values = refused_or(lambda: read_yaml(path))
    assert not (folder / "x").exists()
    if values is None:
        return False
    assert isinstance(values, dict)
    return _check_values(folder, values)


@st.composite
def _yaml_files(draw: st.DrawFn) -> bytes:
    lines = _MINIMAL.decode().splitlines()
    for _ in range(draw(st.integers(0, 2))):
        fragment = draw(st.one_of(st.sampled_from(_FRAGMENTS), phrases))
        place = draw(st.integers(0, len(lines)))
        if draw(st.booleans()):
            lines.insert(place, fragment)
        else:
            lines.insert(place, f"key: {fragment}")
    text = "\n".join(lines)
    if draw(st.booleans()):
        text = text.replace("x: 1", f"x: {draw(st.sampled_from(_FRAGMENTS))}")
    return draw(perhaps_damaged(st.just(text.encode("utf-8", "surrogatepass"))))


READERS = [
    Reader("configuration values", _values(), _check_values),
    Reader("configuration files", _yaml_files(), _check_yaml),
]
