"""The choice of rows: what `rows:` of the configuration leaves of each table, figure and sweep."""

from collections.abc import Mapping, Sequence

from pipeline_lib.config.papers import AnalysisSpec, AnyTable, DecodedTable, FigureSpec, ScoreTable, SettingTable
from pipeline_lib.config.systems import SystemSettings

Systems = Mapping[str, SystemSettings]


def tables_of_rows(tables: Mapping[str, AnyTable], rows: Sequence[str], systems: Systems) -> dict[str, AnyTable]:
    """Return the tables with the chosen rows; a table none of whose systems is chosen is left out.

    Tables of scores have all chosen rows; those that are compared with their first row, and so cannot do without it,
    are unchanged. Tables of another kind that name systems have those of them that are chosen. A table of settings
    needs a system that is trained.
    """
    found = {}
    without_model = not any(systems[name].trained for name in rows)
    for name, spec in tables.items():
        if spec.systems is None and isinstance(spec, SettingTable) and without_model:
            continue
        if spec.systems is None or (isinstance(spec, ScoreTable) and spec.beside == "first row"):
            found[name] = spec
            continue
        chosen = list(rows) if isinstance(spec, ScoreTable) else _chosen(spec.systems, rows, systems)
        labels = spec.systems if isinstance(spec.systems, dict) else None
        shown = chosen if labels is None else {one: labels.get(one, systems[one].label) for one in chosen}
        if chosen:
            found[name] = spec.model_copy(update={"systems": shown})
    return {name: _beside_one_of(found, spec) for name, spec in found.items()}


def _beside_one_of(tables: Mapping[str, AnyTable], spec: AnyTable) -> AnyTable:
    """Return a table without its comparison with one that is left out."""
    if isinstance(spec, DecodedTable) and spec.beside not in tables:
        return spec.model_copy(update={"beside": None})
    return spec


def sweeps_of_rows(
    analyses: Mapping[str, AnalysisSpec], rows: Sequence[str], systems: Systems
) -> dict[str, AnalysisSpec]:
    """Return the analyses; of a sweep, with the chosen systems alone, and left out if there is none."""
    found = {}
    for name, spec in analyses.items():
        swept = spec.options.get("systems")
        if spec.kind != "one_to_many" or swept is None:
            found[name] = spec
        elif chosen := _chosen(swept, rows, systems):
            found[name] = spec.model_copy(update={"options": spec.options | {"systems": chosen}})
    return found


def figures_of_rows(
    figures: Mapping[str, FigureSpec], analyses: Mapping[str, AnalysisSpec], rows: Sequence[str], systems: Systems
) -> dict[str, FigureSpec]:
    """Return the figures with the chosen systems; one that would draw none is left out.

    Args:
        analyses: those that `sweeps_of_rows` leaves.
    """
    trained = [name for name in rows if systems[name].trained]
    found = {}
    for name, spec in figures.items():
        drawn = trained if spec.systems is None else _chosen(spec.systems, rows, systems)
        of_systems = spec.systems is not None or spec.of is not None or spec.kind == "histories"
        if (drawn or not of_systems) and (spec.of is None or spec.of in analyses):
            found[name] = spec if spec.systems is None else spec.model_copy(update={"systems": drawn})
    return found


def _chosen(named: Sequence[str] | Mapping[str, str], rows: Sequence[str], systems: Systems) -> list[str]:
    """List the systems that are among the rows, or that no table shows but those that name them."""
    return [name for name in named if name in rows or systems[name].only_named]
