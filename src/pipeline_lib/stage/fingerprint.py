"""A digest of the code that a stage consists of, so that an edit reruns the stages it can change and no others.

Taken over what the modules mean (`stage.meaning`), without those that print errors and progress. What belongs to a
stage follows from the imports themselves, wherever they are in a file.
"""

import hashlib
import importlib.util
import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pipeline_lib.errors import PipelineError
from pipeline_lib.stage.meanings import MEANINGS

PACKAGE = Path(__file__).parents[1]
SPOKEN = tuple(  # these speak to the user and change no result
    f"pipeline_lib.{name}" for name in ("errors", "stage.progress", "stage.screen")
)


class _Module(NamedTuple):
    name: str  # dotted; a script's is its path, which nothing can import
    path: Path


class _Code(NamedTuple):
    digest: str
    needs: tuple[_Module, ...]  # what it imports, of this package and of its own


def stage_fingerprint(script: Path, extra_modules: Sequence[str] = ()) -> str:
    """Return a digest of a script and of everything in this package that it imports, directly or through others.

    A data file of the package, with a suffix, belongs to a module that lies in its folder or above and names it in a
    string.

    Args:
        script: the stage's command line.
        extra_modules: further modules that the stage loads by name, of this package or of the user's own. They are
            read, never run; with them comes what they import of this package and of the package they are part of.
    Returns:
        16 hex digits, the same on every machine and under every supported Python.
    Raises:
        PipelineError: a module is not found or is not valid Python; names file and line.
    """
    return _fingerprint(_Module(script.name, script), *(module for name in extra_modules for module in _extra(name)))


@cache
def _fingerprint(*modules: _Module) -> str:
    pending = list(modules)
    found: dict[_Module, str] = {}
    while pending:
        module = pending.pop()
        if module not in found and module.name not in SPOKEN:
            code = _code(module)
            found[module] = code.digest
            pending.extend(code.needs)
    lines = sorted(f"{module.name} {digest}" for module, digest in found.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def source_of(module: str) -> Path:
    """Return the file of a module of this package or of the user's own, without importing it; errors as above."""
    return _extra(module)[-1].path


@cache
def _code(module: _Module) -> _Code:
    try:
        meaning = MEANINGS.of(module.path.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        raise PipelineError(
            f"no valid Python: {error}",
            where=f"{module.path}{line}",
            expected="a module that can be imported",
            remedy="correct the file, then run the same command again",
        ) from error
    digest = meaning.digest
    if data := _data_files(module.path.parent, meaning.files):
        digest = hashlib.sha256(b"".join([digest.encode(), *(file.read_bytes() for file in data)])).hexdigest()
    return _Code(digest, tuple(_needs(module, meaning.imports)))


def _needs(module: _Module, imports: Sequence[str]) -> Iterator[_Module]:
    is_package = module.path.name == "__init__.py"
    own = module.name.split(".") if module.name != module.path.name else []
    homes = {PACKAGE.name: PACKAGE.parent}
    if own:
        homes[own[0]] = module.path.parents[len(own) - (not is_package)]
    for imported in imports:
        name = imported.lstrip(".")
        if level := len(imported) - len(name):
            name = ".".join([*own[: len(own) + is_package - level], name])
        if home := homes.get(name.partition(".")[0]):
            yield from _along(name, home)


@cache
def _along(name: str, home: Path) -> tuple[_Module, ...]:
    """Find the modules that importing ``a.b.c`` runs: a, a.b and a.b.c, as far as they are files below ``home``."""
    parts = name.split(".")
    found = []
    for end in range(1, len(parts) + 1):
        base = home.joinpath(*parts[:end])
        for path in (base / "__init__.py", base.with_suffix(".py")):
            if path.is_file():
                found.append(_Module(".".join(parts[:end]), path))
                break
    return tuple(found)


def _extra(name: str) -> tuple[_Module, ...]:
    top = name.partition(".")[0]
    spec = None if top == PACKAGE.name else importlib.util.find_spec(top)  # of a dotted name it would import the parent
    if spec is None:
        home = PACKAGE.parent
    elif spec.submodule_search_locations:
        home = Path(spec.submodule_search_locations[0]).parent
    else:
        home = Path(spec.origin or "").parent
    found = _along(name, home)
    if not found or found[-1].name != name:
        raise PipelineError(
            f"no module {name!r}",
            where="`model:` of a system",
            expected="a Python file that can be imported under this name",
            remedy="correct the name, or add its folder to PYTHONPATH",
        )
    return found


def _data_files(folder: Path, names: Sequence[str]) -> list[Path]:
    files = _files_below(folder) if folder.is_relative_to(PACKAGE) else {}
    return sorted({files[name] for name in names if name in files})


@cache
def _files_below(folder: Path) -> dict[str, Path]:
    """Find data files of the package in ``folder`` and below, by name and by path from there."""
    files: dict[str, Path] = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            if not name.endswith((".py", ".pyc")):
                path = Path(parent, name)
                files[name] = files[path.relative_to(folder).as_posix()] = path
    return files
