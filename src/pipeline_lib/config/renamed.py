"""Keys and files of earlier versions: an error that shows what is written in their place now."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline_lib.errors import PipelineError

MOVED = "moved_to_preset"  # the only key of a file that was laid over the configuration and is a preset now

SECTIONS = {
    "external_systems": "systems: {<name>: {label: …, responses: …}}",
    "ablations": "systems: {<name>: {like: sepacvae, only_named: true, label: …, options: {…}}}, and the name in "
    "tables: {ablations: {systems: […]}}",
    "human": "ratings: {contexts: …, split: …, seed: …, run: …, folder: …}, and systems, aspects and scale in "
    "tables: {table4: {…}}",
    "cases": "analyses: {contradictions: {options: {…}}}",
    "sweep": "analyses: {one_to_many: {options: {…}}}",
}


def check_renamed(values: Mapping[str, Any], where: str) -> None:
    """Refuse what an earlier version understood.

    Raises:
        PipelineError: names the key, and shows the form that it has now.
    """
    if MOVED in values:
        preset = values[MOVED]
        raise PipelineError(
            f"this file is now the preset {preset!r} of the paper sepacvae",
            where=where,
            expected=f"snakemake --config preset={preset} -- <target>, or make table2 PRESET={preset}",
            remedy="name the preset in place of the file; `python -m pipeline_lib list` shows all of them",
        )
    for old, new in _outdated(values):
        raise PipelineError(
            f"{old} is a form of an earlier version",
            where=where,
            expected=new,
            remedy="write it in the form above; config/README.md lists every key",
        )


def _outdated(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Find the old forms in use, each with the new one."""
    yield from ((f"`{section}:`", new) for section, new in SECTIONS.items() if section in values)
    for name, table in _section(values, "tables").items():
        if isinstance(table, list):
            column = "tables: {table2: {extra: […]}}" if name == "extra" else f"tables: {{{name}: {{columns: […]}}}}"
            yield f"tables.{name} as a list", column
        elif not isinstance(table, dict):
            yield f"tables.{name} as a value", f"tables: {{table2: {{{name}: {table}}}}}"
    if "parts" in _section(values, "report"):
        yield "report.parts", "report: {tables: […], figures: […], items: true}"
    for name, system in _section(values, "systems").items():
        if not isinstance(system, dict):
            continue
        if "clusters" in system:
            yield f"systems.{name}.clusters", f"reads: {{group: clusters/{system['clusters']}}}"
        sort, colon, rest = str(system.get("model", "")).partition(":")
        if colon and sort in ("baseline", "function"):
            yield f"systems.{name}.model: {sort}:{rest}", f"{sort}: {rest}"


def _section(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = values.get(name)
    return section if isinstance(section, dict) else {}
