"""Kinds are modules: what the configuration calls ``spaces`` is ``<package>/spaces.py``, and nothing registers."""

import importlib
import pkgutil
from types import ModuleType

from pipeline_lib.errors import PipelineError, did_you_mean


def load(package: str, name: str) -> ModuleType:
    """Import the module ``name`` of ``package``.

    Raises:
        PipelineError: the package has no such module; names the nearest.
    """
    known = [module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__)]
    if name not in known:
        raise PipelineError(
            f"no {name!r} in {package}",
            expected=did_you_mean(name, known),
            remedy="correct the name, or add the module",
        )
    return importlib.import_module(f"{package}.{name}")
