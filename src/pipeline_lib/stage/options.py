"""Options of kinds: every analysis and figure is checked when a run is planned, not when its job starts."""

from collections.abc import Mapping
from typing import Any, Protocol

from pipeline_lib.config.checking import validated
from pipeline_lib.config.places import Place, Where, below, key_path, naming
from pipeline_lib.config.settings import Settings
from pipeline_lib.stage.kinds import load

ANALYSES, FIGURES = "pipeline_lib.analyses", "pipeline_lib.figures"


class _Declared(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def options(self) -> dict[str, Any]: ...


def check_options(package: str, declared: Mapping[str, _Declared], place: Place = key_path) -> None:
    """Check the options of each analysis, or figure, by its name.

    Args:
        place: gives the file that holds a key.
    Raises:
        PipelineError: there is no such kind, or an option that it does not have; names the nearest.
    """
    section = package.rpartition(".")[2]
    for name, spec in declared.items():
        with naming(place, section, name, "kind"):
            load(package, spec.kind, "Options")
        keys = (section, name, "options")
        options_of(package, spec.kind, spec.options, below(place, *keys), ".".join(keys))


def options_of(package: str, kind: str, values: dict[str, Any], where: Where, section: str = "") -> Settings:
    """Return ``values`` as the ``Options`` that the module of a kind defines; errors as `check_options`.

    Args:
        where, section: as of `validated`.
    """
    checked: Settings = validated(load(package, kind, "Options").Options, values, where, section)
    return checked
