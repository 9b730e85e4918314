"""Tables of settings: sizes and options of systems, beside those that the paper names."""

from collections.abc import Mapping
from typing import Any

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import SettingTable
from pipeline_lib.errors import PipelineError, did_you_mean
from pipeline_lib.tables.cells import Cell, Column, Row, Table, notes_of_spec, of_spec, printed_as
from pipeline_lib.tables.published import Published


def make(
    name: str, spec: SettingTable, layout: Layout, settings: Mapping[str, Mapping[str, Any]], published: Published
) -> Table:
    """Make a table of settings, a row for each system.

    Args:
        settings: system -> what it is made with: sections ``network``, ``options`` and ``training``.
    Raises:
        PipelineError: no system has one of the settings.
    """
    found = {
        system: {column: _at(settings.get(system, {}), path) for column, path in spec.columns.items()}
        for system in layout.systems
    }
    for column, path in spec.columns.items():
        if all(values[column] is None for values in found.values()):
            known = paths_in({system: settings.get(system, {}) for system in layout.systems})
            raise PipelineError(
                f"no system has a setting {path!r}",
                where=f"tables.{name}.columns.{column}",
                expected=did_you_mean(path, known),
                remedy="correct the path in paper.yaml",
            )
    rows = []
    for system, values in found.items():
        printed = printed_as(spec, layout, system)
        cells = {
            column: Cell(text=shown(value), published=published.value(spec.number, column, printed))
            for column, value in values.items()
        }
        rows.append(Row("", "", layout.systems[system].label, cells, system))
    columns = [Column(column) for column in spec.columns]
    return Table(
        **of_spec(name, spec),
        columns=columns,
        rows=rows,
        notes=["–: no such setting.", *notes_of_spec(spec, layout, rows)],
    )


def _at(settings: Any, path: str) -> Any:
    for key in path.split("."):
        settings = settings.get(key) if isinstance(settings, Mapping) else None
    return settings


def paths_in(settings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """List the paths of all settings of some systems."""
    return sorted({path for of_system in settings.values() for path in by_path(of_system)})


def by_path(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return the values of nested settings by their paths, such as ``training.select``."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        found |= by_path(value, f"{above}{key}.") if isinstance(value, Mapping) else {above + key: value}
    return found


def shown(value: Any) -> str:
    """Return a setting as a table prints it."""
    if value is None:
        return "–"
    return str(value).lower() if isinstance(value, bool) else str(value)
