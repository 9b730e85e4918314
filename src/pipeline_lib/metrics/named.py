"""Metrics by name: the class with that name, in the module of that name. Nothing is registered."""

import importlib
import inspect
import re
from functools import cache
from types import ModuleType
from typing import get_args

from pipeline_lib.errors import PipelineError, did_you_mean
from pipeline_lib.metrics.base import Better, Metric
from pipeline_lib.schemas.items import DIALOGUE
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.stage.kinds import kinds, module_of

PACKAGE = "pipeline_lib.metrics"
_OF_COLUMN = ("kl", "nll")  # metrics whose values the responses have in a column of the same name


@cache
def metric_class(name: str) -> type[Metric]:
    """Find a metric: `ppl-bound` is a class in ``ppl.py``, `length` one in ``length.py``.

    Raises:
        PipelineError: there is no such metric, and names the nearest; or its class does not state what tables need.
    """
    if found := known_metric(name):
        _check(found)
        return found
    raise PipelineError(
        f"no metric {name!r}",
        where="columns of the tables",
        expected=expected_of(name),
        remedy="correct the column's name",
    )


def expected_of(name: str) -> str:
    """Say what was expected instead of a metric that is not found: the nearest, or its class in the right file."""
    classes = {known: one for module in _modules() for known, one in _metrics_in(module).items()}
    if name in classes:
        return f"its class {classes[name].__name__} in {_file_of(name)}; it is in {file_of(classes[name])}"
    return did_you_mean(name, list(classes))


def file_of(kind: type[Metric]) -> str:
    """Return the file that a metric is defined in."""
    return inspect.getfile(kind)


def _file_of(name: str) -> str:
    """Return the name of the file in which a metric of this name is looked for first."""
    return re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_") + ".py"


def _check(kind: type[Metric]) -> None:
    """Check what a class states of itself; a signature may depend on settings that only an object has."""
    fault = expected = ""
    if kind.name in (columns := [*RESPONSES.names, DIALOGUE]) and kind.name not in _OF_COLUMN:
        fault = f"has the name {kind.name!r}, which is a column of the responses"
        expected = f"a name other than {', '.join(columns)}"
    elif kind.better not in (*get_args(Better), None):
        fault, expected = f"has better = {kind.better!r}", '"higher", "lower" or None'
    elif lacking := [name for name in ("meaning", "signature") if not hasattr(kind, name) and not _is_made(kind, name)]:
        fault, expected = f"has no {lacking[0]}", f"{lacking[0]} = …, as every metric has"
    if fault:
        raise PipelineError(
            f"the metric {kind.name!r} {fault}",
            where=f"{file_of(kind)}, class {kind.__name__}",
            expected=expected,
            remedy="correct the class; docs/adding-a-metric.md lists the attributes",
        )


def _is_made(kind: type[Metric], attribute: str) -> bool:
    """Tell whether objects may be given an attribute that their class lacks."""
    return attribute == "signature" and (kind.__init__ is not object.__init__ or "make" in vars(kind))


def known_metric(name: str) -> type[Metric] | None:
    """Find a metric, or None: results may hold values of metrics that are gone by now."""
    try:
        module = importlib.import_module(module_of(PACKAGE, name))
    except PipelineError:
        return None
    return _metrics_in(module).get(name)


def metric_names() -> list[str]:
    """List every metric that there is."""
    return [name for module in _modules() for name in _metrics_in(module)]


def _modules() -> list[ModuleType]:
    return [importlib.import_module(f"{PACKAGE}.{module}") for module in kinds(PACKAGE)]


def _metrics_in(module: ModuleType) -> dict[str, type[Metric]]:
    own = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__]
    return {one.name: one for one in own if issubclass(one, Metric) and hasattr(one, "name")}
