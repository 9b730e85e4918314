"""The way from YAML to a checked configuration: five layers, of which a later one takes precedence."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pipeline_lib.config.checking import check_plain, merge, validated
from pipeline_lib.config.likeness import resolved
from pipeline_lib.config.misread import Untyped, untyped
from pipeline_lib.config.renamed import check_renamed
from pipeline_lib.config.run import Config
from pipeline_lib.errors import PipelineError, did_you_mean

DECLARATION = "paper.yaml"  # of a paper's folder; every other .yaml is a preset
PUBLISHED = "published.csv"
_CORRECT = "correct it; config.yaml is an example"
COMMAND_LINE = "--config"


class Layer(NamedTuple):
    """Values from one place, laid over those before it."""

    where: str  # file, or what else the user knows it by
    values: dict[str, Any]


def read_run(root: Path, given: Mapping[str, Any], files: Sequence[Path] = ()) -> Config:
    """Read and check the configuration of a run; arguments and errors as `layers_of_run` and `load`."""
    return load(layers_of_run(root, given, files), root / "papers")


def layers_of_run(root: Path, given: Mapping[str, Any], files: Sequence[Path] = ()) -> list[Layer]:
    """Read the layers of a run: the paper and the preset that ``given`` names, under all that it holds.

    Args:
        root: folder of this project, which has `papers/` and `config/corpora.yaml`.
        given: `config.yaml`, every `--configfile` and `--config`, joined as Snakemake joins them.
        files: those files, in order, to name the one at fault; each is read once more here, because Snakemake takes
            the last of repeated keys and says nothing.
    Raises:
        PipelineError: names the file, the key and the nearest known one.
    """
    own = [Layer(_named(file, Path()), read_yaml(file)) for file in files]
    joined: dict[str, Any] = {}
    as_snakemake_joins: dict[str, Any] = {}
    for layer in own:
        check_plain(layer.values, layer.where)
        joined = merge(joined, layer.values)
        as_snakemake_joins = _updated(as_snakemake_joins, layer.values)
    check_plain(dict(given), COMMAND_LINE if files else "configuration")
    beyond = untyped(_beyond(given, as_snakemake_joins))
    if files:
        beyond = _with_typed_options(beyond)
    if beyond:
        own.append(Layer(COMMAND_LINE if files else "configuration", beyond))
    named = merge(joined, beyond)
    for key in ("paper", "preset"):
        if not isinstance(named.get(key), str):
            raise PipelineError(
                f"no {key} is named" if key not in named else f"{key}: {named[key]!r}",
                where=next((layer.where for layer in reversed(own) if key in layer.values), "config.yaml"),
                expected=f"`{key}:` and a name, such as `paper: sepacvae` and `preset: small`",
                remedy="add the key; `python -m pipeline_lib list` shows every name",
            )
    layers = layers_of(root, named["paper"], named["preset"])
    if "results" not in named:
        _check_folder(layers, root)
    return [*layers, *own]


def _with_typed_options(values: dict[str, Any]) -> dict[str, Any]:
    """Read the texts in `options:` as YAML does: no section gives them a type, so that jobs get them as they are."""
    sections = {
        section: {name: _with_typed(entry) for name, entry in entries.items()}
        for section in ("systems", "analyses", "figures")
        if isinstance(entries := values.get(section), dict)
    }
    return values | sections


def _with_typed(entry: Any) -> Any:
    return {**entry, "options": _typed(entry["options"])} if isinstance(entry, dict) and "options" in entry else entry


def _typed(value: Any) -> Any:
    """Read marked texts as YAML reads them in a file; a text stays one."""
    if isinstance(value, dict):
        return {key: _typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_typed(inner) for inner in value]
    if not isinstance(value, Untyped) or not value.strip():
        return value
    try:
        found = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError):  # the latter: a date that there is not
        return value
    return found if isinstance(found, int | float | None) else value


def layers_of(root: Path, paper: str, preset: str) -> list[Layer]:
    """Read the catalogue of corpora, what a paper declares, and a preset after those that it extends.

    Raises:
        PipelineError: there is no such paper or preset, with a list of those there are; or presets extend each other
            in a circle.
    """
    folder = folder_of(root / "papers", paper)
    catalogue = root / "config/corpora.yaml"
    layers = [
        Layer(_named(catalogue, root), {"sources": read_yaml(catalogue)}),
        Layer(_named(folder / DECLARATION, root), read_yaml(folder / DECLARATION)),
    ]
    return [*layers, *preset_layers(folder, preset, root)]


def folder_of(papers: Path, paper: str, where: str = "") -> Path:
    """Return the folder of a paper.

    Args:
        where: the setting that names it; "": the run's own, ``paper``.
    Raises:
        PipelineError: there is none of that name; lists those there are.
    """
    if paper not in (known := papers_in(papers)):
        raise PipelineError(
            f"no paper {paper!r}",
            where=where or papers,
            expected=did_you_mean(paper, known),
            remedy="correct the name: "
            + ("<paper>/<system>" if where else "--config paper=<name>, or PAPER=<name> of make"),
        )
    return papers / paper


def papers_in(papers: Path) -> list[str]:
    """List the names of the papers, SepaCVAE first: it is the one that the project began with."""
    found = sorted(file.parent.name for file in papers.glob(f"*/{DECLARATION}"))
    return sorted(found, key=lambda name: name != "sepacvae")


def presets_in(folder: Path) -> list[str]:
    """List the names of the presets of a paper, the small one first."""
    found = sorted(file.stem for file in folder.glob("*.yaml") if file.name != DECLARATION)
    return sorted(found, key=lambda name: name != "small")


def _check_folder(layers: Sequence[Layer], root: Path) -> None:
    """Check that no preset outside this chain writes to the same results folder, as one in a copied folder would."""
    given = [(str(layer.values["results"]), layer.where) for layer in layers if "results" in layer.values]
    results, where = given[-1] if given else ("results", layers[-1].where)
    chain = {layer.where for layer in layers}
    for paper in papers_in(root / "papers"):
        for preset in presets_in(root / "papers" / paper):
            file = root / "papers" / paper / f"{preset}.yaml"
            # a search, since parsing every preset would take longer than all the rest of the start
            found = re.search(r"^results: *([^\s#]+)", file.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
            if found and found[1].strip("'\"") == results and _named(file, root) not in chain:
                raise PipelineError(
                    f"results: {results!r} is the folder of {_named(file, root)} too",
                    where=where,
                    expected="a folder of its own for each preset, since one run would overwrite the other",
                    remedy="give the newer of the two a folder of its own: "
                    + " or ".join(
                        f"`results: results/{Path(one).parent.name}` in {one}" for one in (where, _named(file, root))
                    )
                    + "; delete a copied preset that you do not use",
                )


def preset_layers(folder: Path, preset: str, root: Path) -> list[Layer]:
    """Read a preset after the one that it extends, and so on; errors as `layers_of`."""
    layers: list[Layer] = []
    seen: list[str] = []
    while preset:
        file = folder / f"{preset}.yaml"
        if preset in seen:
            raise PipelineError(
                f"presets extend each other in a circle: {' → '.join([*seen, preset])}",
                where=layers[0].where,
                expected="a chain that ends with a preset without `extends:`",
                remedy="remove `extends:` from one of them",
            )
        if preset not in (known := presets_in(folder)):
            raise PipelineError(
                f"no preset {preset!r} of paper {folder.name!r}",
                where=layers[0].where if layers else _named(folder, root),
                expected=f"one of {', '.join(known)}; {did_you_mean(preset, known)}",
                remedy="correct the name" + ("" if layers else ": --config preset=<name>, or PRESET=<name> of make"),
            )
        seen.append(preset)
        layers.insert(0, Layer(_named(file, root), read_yaml(file)))
        extends = layers[0].values.pop("extends", None)
        if not isinstance(extends, str | None):
            raise PipelineError(
                f"extends: {extends!r}",
                where=layers[0].where,
                expected="the name of one preset of this paper",
                remedy="correct the value",
            )
        preset = extends or ""
    return layers


def load(layers: Sequence[Layer], papers: Path | None = None) -> Config:
    """Check a configuration.

    Args:
        layers: each is laid over those before it.
        papers: folder of the papers whose systems others may be like.
    Raises:
        PipelineError: names the file with the first offending key, what was found and the nearest known key.
    """
    values: dict[str, Any] = {"network": {"kind": "recurrent"}}  # unless a layer names another kind
    for layer in layers:
        check_plain(layer.values, layer.where)
        check_renamed(layer.values, layer.where)
        values = merge(values, layer.values)

    def entries_of(paper: str, where: str) -> Mapping[str, Any]:
        declared = read_yaml(folder_of(papers or Path("papers"), paper, where) / DECLARATION)
        return systems if isinstance(systems := declared.get("systems"), dict) else {}

    with _naming_files(layers):
        if isinstance(values.get("systems"), dict):
            values = values | {"systems": resolved(values["systems"], str(values.get("paper")), entries_of)}
        config: Config = validated(Config, values, partial(place_of, layers))
        _check_overrides(config)
    return config.with_rows().with_sweeps()


def _check_overrides(config: Config) -> None:
    """Check what differs for a corpus or a system now, not when a job of theirs starts."""
    for corpus in config.corpora_probed:
        config.for_corpus(corpus)
    for corpus in config.corpora_used:
        config.for_corpus(corpus)
        for system in config.systems:
            config.units_of(corpus, system)
            config.network_of(corpus, system)
            config.training_of(corpus, system)
            config.decoding_of(corpus, system)


@contextmanager
def _naming_files(layers: Sequence[Layer]) -> Iterator[None]:
    """Name the file too in an error that has a key of the configuration as its place."""
    try:
        yield
    except PipelineError as error:
        keys = error.where.split(".")
        if error.where in {layer.where for layer in layers} or keys[0] not in Config.model_fields:
            raise
        where = f"{place_of(layers, keys)}, {error.where}"
        raise PipelineError(error.problem, where=where, expected=error.expected, remedy=error.remedy) from None


def place_of(layers: Sequence[Layer], *paths: Sequence[str]) -> str:
    """Return the last place that gave the value at one of these paths, or else the section that should have had it."""
    return layers[max(_last_layer(layers, path) for path in paths or [()])].where


def _last_layer(layers: Sequence[Layer], keys: Sequence[str]) -> int:
    """Return the number of the last layer among those into which most of the keys lead."""
    best = (-1, 0)
    kinds: dict[int, Any] = {}
    for number, layer in enumerate(layers):
        depth, values = 0, layer.values
        for key in keys:
            if not isinstance(values, dict) or key not in values:
                break
            depth, values = depth + 1, values[key]
            kind = values.get("kind") if isinstance(values, dict) else None
            if kind is not None and kinds.setdefault(depth, kind) != kind:
                kinds[depth], best = kind, (-1, 0)  # takes nothing over from the layers before
        best = max(best, (depth, number))
    return best[1]


def _updated(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the values of ``over``, section within section, whatever `kind` they are of."""
    inner = {
        key: _updated(base[key], value)
        for key, value in over.items()
        if isinstance(value, dict) and isinstance(base.get(key), dict)
    }
    return {**base, **over, **inner}


def _beyond(values: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``values`` holds that ``known`` does not, or holds otherwise."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(known.get(key), dict):
            if inner := _beyond(value, known[key]):
                found[key] = inner
        elif key not in known or known[key] != value:
            found[key] = value
    return found


def _named(path: Path, root: Path) -> str:
    """Name a file as the user would write it."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping; an empty file is an empty one.

    Raises:
        PipelineError: the file is missing or not YAML, repeats a key, or holds something other than a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _no_yaml(error, path) from error
    return parse_yaml(text, path)


def parse_yaml(text: str, where: str | Path) -> dict[str, Any]:
    """Parse the text of one YAML mapping, from the place ``where``; errors as `read_yaml`."""
    try:
        values = _Loader(text).get_single_data()
    # besides its own errors the parser lets out whatever a malformed date, number or tag, or deep nesting, raises
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _no_yaml(error, where) from error
    if not isinstance(values, dict | None):
        raise PipelineError(
            f"holds a {type(values).__name__}",
            where=where,
            expected="keys and their values, such as `seeds: [1, 2]`",
            remedy=_CORRECT,
        )
    return values or {}


def _no_yaml(error: Exception, where: str | Path) -> PipelineError:
    mark = getattr(error, "problem_mark", None)
    return PipelineError(
        f"not readable as YAML: {getattr(error, 'problem', None) or error}",
        where=f"{where}:{mark.line + 1}" if mark else where,
        expected="YAML of keys and their values, in UTF-8",
        remedy=_CORRECT,
    )


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no stubs
    """YAML's safe loader, which by itself takes the last of repeated keys and says nothing."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # composed, the keys are as the file has them; once constructed, those that `<<` brings count as repeated too
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if first := lines.get((key.tag, key.value)):
                raise yaml.MarkedYAMLError(
                    problem=f"key {key.value!r} stands twice, first in line {first}", problem_mark=key.start_mark
                )
            lines[key.tag, key.value] = key.start_mark.line + 1
        return node
