"""Metrics by name: the class with that name, in the module of that name. Nothing is registered."""

import importlib
from types import ModuleType

from pipeline_lib.errors import PipelineError, did_you_mean
from pipeline_lib.metrics.base import Metric
from pipeline_lib.stage.kinds import kinds, module_of

PACKAGE = "pipeline_lib.metrics"


def metric_class(name: str) -> type[Metric]:
    """Find a metric: `ppl-bound` is a class in ``ppl.py``, `length` one in ``length.py``.

    Raises:
        PipelineError: there is no such metric; names the nearest.
    """
    if found := known_metric(name):
        return found
    raise PipelineError(
        f"no metric {name!r}",
        where="columns of the tables",
        expected=did_you_mean(name, metric_names()),
        remedy="correct the column's name",
    )


def known_metric(name: str) -> type[Metric] | None:
    """Find a metric, or None: results may hold values of metrics that are gone by now."""
    try:
        module = importlib.import_module(module_of(PACKAGE, name))
    except PipelineError:
        return None
    return _metrics_in(module).get(name)


def metric_names() -> list[str]:
    """List every metric that there is."""
    modules = [importlib.import_module(f"{PACKAGE}.{module}") for module in kinds(PACKAGE)]
    return [name for module in modules for name in _metrics_in(module)]


def _metrics_in(module: ModuleType) -> dict[str, type[Metric]]:
    own = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__]
    return {one.name: one for one in own if issubclass(one, Metric) and hasattr(one, "name")}
