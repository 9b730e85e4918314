"""A digest of the code that a stage consists of, so that an edit reruns the stages it can change and no others.

Taken over the parsed code without comments, docstrings and what the code only says: arguments of errors and of log
messages, descriptions of settings, and the modules that print errors and progress. So mending a sentence never
retrains a model. How often training writes a record stays in, since ``history.jsonl`` is an output. What belongs to a
stage follows from the imports themselves, wherever they are in a file.
"""

import ast
import hashlib
import importlib.util
import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pipeline_lib.errors import PipelineError

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

    A data file of the package belongs to a module that lies in its folder or above and names it in a string.

    Args:
        script: the stage's command line.
        extra_modules: further modules that the stage loads by name, of this package or of the user's own. They are
            read, never run; with them comes what they import of this package and of the package they are part of.
    Returns:
        16 hex digits, the same on every machine and under every supported Python.
    Raises:
        PipelineError: a module is not found or is not valid Python; names file and line.
    """
    pending = [_Module(script.name, script)]
    for name in extra_modules:
        pending.extend(_extra(name))
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
        source = module.path.read_bytes()
        tree = ast.parse(source)
    except (OSError, SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        raise PipelineError(
            f"no valid Python: {error}",
            where=f"{module.path}{line}",
            expected="a module that can be imported",
            remedy="correct the file, then run the same command again",
        ) from error
    parts: list[str] = []
    imports: list[ast.Import | ast.ImportFrom] = []
    _walk(tree, parts, imports, frozenset(_makers_of_errors(tree)))
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace"))
    for file in _data_files(module.path.parent, parts):
        digest.update(file.read_bytes())
    return _Code(digest.hexdigest(), tuple(_needs(module, imports)))


def _makers_of_errors(tree: ast.Module) -> Iterator[str]:
    """List the functions of a module that return an error, as their annotation says."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and _ends_with_error(node.returns):
            yield node.name


def _walk(node: ast.AST, parts: list[str], imports: list[ast.Import | ast.ImportFrom], makers: frozenset[str]) -> None:
    """Append what ``node`` means to ``parts``, and its import statements to ``imports``.

    Empty fields are left out: newer Pythons have more of them. Names are kept, contexts (load, store) follow from
    the place and are not.
    """
    if isinstance(node, ast.Import | ast.ImportFrom):
        imports.append(node)
    elif isinstance(node, ast.Constant):
        parts.append(repr(node.value))
        return
    parts.append(type(node).__name__)
    for field in node._fields:
        if field in ("args", "keywords") and isinstance(node, ast.Call) and _only_speaks(node.func, makers):
            continue
        value = getattr(node, field, None)
        if field == "keywords" and isinstance(node, ast.Call) and _names(node.func, "Field"):
            value = [keyword for keyword in node.keywords if keyword.arg != "description"]
        if isinstance(value, list):
            if not value:
                continue
            parts.append(field)
            for item in value[_has_docstring(node, field) :]:
                if isinstance(item, ast.AST):
                    _walk(item, parts, imports, makers)
                else:
                    parts.append(repr(item))
            parts.append("]")
        elif isinstance(value, ast.AST):
            if not isinstance(value, ast.expr_context):
                parts.append(field)
                _walk(value, parts, imports, makers)
        elif value is not None:
            parts.append(field)
            parts.append(repr(value))
    parts.append(")")


def _only_speaks(called: ast.expr, makers: frozenset[str]) -> bool:
    """Tell whether a call makes an error, as ``PipelineError(…)`` does, or a log message, as ``log.info(…)`` does.

    Args:
        makers: names of the module's own functions that return an error.
    """
    if isinstance(called, ast.Attribute):
        is_log = isinstance(called.value, ast.Name) and called.value.id == "log"
        return called.attr.endswith("Error") or (is_log and called.attr in ("debug", "info", "warning", "error"))
    return _ends_with_error(called) or (isinstance(called, ast.Name) and called.id in makers)


def _ends_with_error(name: ast.expr | None) -> bool:
    return isinstance(name, ast.Name) and name.id.endswith("Error")


def _names(called: ast.expr, name: str) -> bool:
    return isinstance(called, ast.Name) and called.id == name


def _has_docstring(node: ast.AST, field: str) -> bool:
    if field != "body" or not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    first = node.body[0]
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def _needs(module: _Module, imports: Sequence[ast.Import | ast.ImportFrom]) -> Iterator[_Module]:
    is_package = module.path.name == "__init__.py"
    own = module.name.split(".") if module.name != module.path.name else []
    homes = {PACKAGE.name: PACKAGE.parent}
    if own:
        homes[own[0]] = module.path.parents[len(own) - (not is_package)]
    for statement in imports:
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        else:
            folder = own[: len(own) + is_package - statement.level] if statement.level else []
            base = ".".join([*folder, *([statement.module] if statement.module else [])])
            names = [f"{base}.{alias.name}" for alias in statement.names]  # a module or something in one
        for name in names:
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


def _data_files(folder: Path, parts: Sequence[str]) -> list[Path]:
    files = _files_below(folder) if folder.is_relative_to(PACKAGE) else {}
    return sorted({files[part[1:-1]] for part in parts if part[1:-1] in files}) if files else []


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
