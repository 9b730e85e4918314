"""A kind is a module: a table of ``kind: scores`` is made by `pipeline_lib.tables.scores`.

Corpus readers, metrics and tables are found by their name in the configuration, so a new one is a new file and nothing
else. Rules ask `module_of` for the same name, for the stage's fingerprint: what runs and what is tracked are the same.
"""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from pipeline_lib.errors import PipelineError, did_you_mean

ROOT = Path(__file__).parents[1]  # the folder of this package


def module_of(package: str, name: str) -> str:
    """Return the dotted name of the module that a kind is, without importing it.

    A name may end with a variant: `BLEU-2` is in ``bleu.py``, `ppl-bound` in ``ppl.py``, `corpus-BLEU` in
    ``corpus_bleu.py``. The longest beginning that is a module counts.

    Args:
        package: such as ``pipeline_lib.metrics``.
        name: as the configuration has it.
    Raises:
        PipelineError: there is no such module; names the nearest.
    """
    folder = _folder(package)
    parts = [part for part in re.split(r"[^a-z0-9_]+", name.lower()) if part]
    for end in range(len(parts), 0, -1):
        module = "_".join(parts[:end])
        if (folder / f"{module}.py").is_file() and not module.startswith("_"):
            return f"{package}.{module}"
    raise _unknown(package, name, [path.stem for path in _files(folder)])


def load(package: str, name: str, offers: str) -> ModuleType:
    """Import the module that a kind is.

    Args:
        offers: the function or class that such a module must have.
    Raises:
        PipelineError: there is no such kind; names the nearest.
    """
    module = importlib.import_module(module_of(package, name))
    if not hasattr(module, offers):
        raise _unknown(package, name, kinds(package, offers))
    return module


def kinds(package: str, offers: str = "") -> list[str]:
    """List the modules of a package that define ``offers``, or all of them, without importing any."""
    return [path.stem for path in _files(_folder(package)) if not offers or offers in _defined(path)]


def _folder(package: str) -> Path:
    return ROOT.joinpath(*package.split(".")[1:])


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))


def _defined(path: Path) -> Iterator[str]:
    for statement in ast.parse(path.read_bytes()).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            yield statement.name


def _unknown(package: str, name: str, known: list[str]) -> PipelineError:
    return PipelineError(
        f"no module {name!r} in {package}",
        where=str(_folder(package)),
        expected=did_you_mean(name, known),
        remedy="correct the name, or add the module",
    )
