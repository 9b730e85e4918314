"""Options of a system, read from the source of its class or function, and what else its class declares.

Importing a model's module would import torch, which takes longer than all the rest of a start. So of the module only
those statements run that declare something: the class `Options`, and by name whatever it refers to. A class that does
not show so what it declares, as where a base is computed, is imported after all.
"""

import ast
import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.abc import InspectLoader
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from pipeline_lib.config.networks import Sizes
from pipeline_lib.errors import PipelineError, did_you_mean
from pipeline_lib.stage.fingerprint import source_of

BASE = ("pipeline_lib.models.system", "System")  # of every system
_READ = ("Options", "Network", "draws")  # attributes of a class that are read
_METHODS = "_methods"  # attribute of a stand-in: methods of its class, by name
_FOREIGN = frozenset({"torch", *sys.stdlib_module_names})  # their classes declare neither


class _Unreadable(Exception):  # noqa: N818  # tells to import the class instead
    """The source alone does not tell what a class declares."""


class Declared:
    """What a system's class declares; as there, a subclass inherits it."""

    Options: type[BaseModel]
    Network: type[Sizes]
    draws: bool


@cache
def declared(path: str) -> type[Declared]:
    """Return what the class of a system declares.

    Args:
        path: ``module:Class``.
    Raises:
        PipelineError: the module or the class does not exist, or is not a system.
    """
    module, _, name = path.partition(":")
    _check_defined(module, name, "class", ast.ClassDef)
    try:
        found = _stand_in(module, name)
        return found if issubclass(found, _stand_in(*BASE)) else _imported(module, name)
    except _Unreadable:
        return _imported(module, name)


def parameters(path: str) -> list[str] | None:
    """Return the names of the options that a function of the user's own takes; None if only a call would tell.

    Args:
        path: ``module.name`` of a `responses.functions.Responder`.
    Raises:
        PipelineError: the module or the function does not exist.
    """
    module, _, name = path.rpartition(".")
    _check_defined(module, name, "function", ast.FunctionDef)
    statement = _statements(module).get(name)
    if not isinstance(statement, ast.FunctionDef) or statement.decorator_list or statement.args.kwarg:
        return None
    given = statement.args
    # the first four are contexts, train, vectors and seed
    return [one.arg for one in [*given.posonlyargs, *given.args][4:] + given.kwonlyargs]


def overrides(kind: type[Declared], method: str) -> bool:
    """Tell whether a class of `declared`, or one between it and `BASE`, has a method of its own."""
    return any(method in methods for methods in _methods_of(kind))


def derives(kind: type[Declared], path: str) -> bool:
    """Tell whether a class of `declared` is the one of a path, ``module:Class``, or derived from it."""
    return any(f"{one.__module__}:{one.__name__}" == path for one in kind.__mro__)


def phase_names(kind: type[Declared]) -> list[str] | None:
    """Return the names that the phases of a class may have; None if only the running class would tell."""
    names: list[str] = []
    for methods in _methods_of(kind):
        if "phases" not in methods:
            continue
        if not isinstance(statement := methods["phases"], ast.FunctionDef):
            return None
        nodes = list(ast.walk(statement))
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        firsts = [call.args[:1] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Phase"]
        named = [first[0].value for first in firsts if first and isinstance(first[0], ast.Constant)]
        if not named or len(named) < len(firsts):
            return None
        names += map(str, named)
        if not any(isinstance(node, ast.Attribute) and node.attr == "phases" for node in nodes):
            return names  # the class asks none that it is derived from
    return [*names, "all"]


def _methods_of(kind: type[Declared]) -> Iterator[Mapping[str, Any]]:
    """Yield what each class between one of `declared` and `BASE` defines, by name: of a stand-in, the statements."""
    for one in kind.__mro__:
        if (one.__module__, one.__name__) != BASE:
            yield vars(one).get(_METHODS, vars(one))


def _check_defined(module: str, name: str, what: str, kind: type[ast.stmt]) -> None:
    statements = _statements(module)
    if name not in statements and "*" not in statements:
        known = [name for name, statement in statements.items() if isinstance(statement, kind)]
        raise PipelineError(
            f"no {what} {name!r} in {module}",
            expected=did_you_mean(name, known),
            remedy=f"correct the name of the {what}",
        )


def _imported(module: str, name: str) -> type[Declared]:
    try:
        found: type[Declared] = getattr(importlib.import_module(module), name)
        base = getattr(importlib.import_module(BASE[0]), BASE[1])
    except Exception as error:  # whatever a module of the user's raises
        raise PipelineError(
            f"{module} cannot be imported: {type(error).__name__}: {error}",
            expected=f"a module that has the class {name}",
            remedy="correct the module, or put what it imports on PYTHONPATH",
        ) from error
    if not (isinstance(found, type) and issubclass(found, base)):
        raise PipelineError(
            f"{name} of {module} is not a System",
            expected=f"a class derived from {'.'.join(BASE)}",
            remedy="name another class, or derive it from System (docs/adding-a-model.md)",
        )
    return found


# --- the class without its code --------------------------------------------------------------------------------------


@cache
def _stand_in(module: str, name: str) -> type[Declared]:
    """Build a class that has the bases of one of a module, and of its body what it declares."""
    statement = _statements(module).get(name)
    if isinstance(statement, ast.ImportFrom):
        [original] = [alias.name for alias in statement.names if (alias.asname or alias.name) == name]
        try:
            return _stand_in(_origin(module, statement), original)
        except PipelineError as error:  # of a package without sources
            raise _Unreadable from error
    if not isinstance(statement, ast.ClassDef):
        raise _Unreadable
    bases = () if (module, name) == BASE else tuple(_bases(module, statement))
    body = [inner for inner in statement.body if set(_defined(inner)) & set(_READ)]
    methods = {inner.name: inner for inner in statement.body if isinstance(inner, ast.FunctionDef)}
    own = {"__module__": module} | ({} if (module, name) == BASE else {_METHODS: methods})
    try:
        return type(name, bases or (Declared,), _run(module, body) | own)
    except TypeError as error:
        raise _Unreadable from error


def _bases(module: str, statement: ast.ClassDef) -> Iterator[type[Declared]]:
    for base in statement.bases:
        first = next((node for node in ast.walk(base) if isinstance(node, ast.Name)), None)
        defined = _statements(module).get(first.id) if isinstance(first, ast.Name) else None
        if isinstance(defined, ast.Import | ast.ImportFrom) and _top(module, defined) in _FOREIGN:
            continue
        if not isinstance(base, ast.Name):
            raise _Unreadable
        if defined or base.id != "object":
            yield _stand_in(module, base.id)


def _run(module: str, body: Sequence[ast.stmt]) -> dict[str, Any]:
    """Run statements of a module, after those that they refer to, and return the attributes that they define."""
    if not body:
        return {}
    part = ModuleType(module)
    part.__package__ = _package(module)
    names = vars(part)
    for node in (node for statement in body for node in ast.walk(statement)):
        if isinstance(node, ast.Attribute) and node.attr in _READ and isinstance(node.value, ast.Name):
            names[node.value.id] = _stand_in(module, node.value.id)  # as in ``class Options(CVAE.Options)``
    needed: dict[int, ast.stmt] = {}
    waiting = list(body)
    while waiting:
        referred = {node.id for node in ast.walk(waiting.pop()) if isinstance(node, ast.Name)}
        for statement in (_statements(module).get(name) for name in referred - set(names)):
            if statement and id(statement) not in needed:
                needed[id(statement)] = statement
                waiting.append(statement)
    ordered = sorted(needed.values(), key=lambda statement: statement.lineno)
    try:
        _Part([*ordered, *body]).exec_module(part)
    except Exception as error:
        raise _Unreadable from error
    return {name: names[name] for name in _READ if name in names}


class _Part(InspectLoader):
    """Runs some statements of a module, as an import runs all of them."""

    def __init__(self, statements: Sequence[ast.stmt]) -> None:
        self.statements = list(statements)

    def get_source(self, fullname: str) -> str:
        return ast.unparse(ast.Module(self.statements, []))


# --- the source ------------------------------------------------------------------------------------------------------


@cache
def _statements(module: str) -> dict[str, ast.stmt]:
    """List the statements of a module by the names that they define; `*` for names known only when it runs."""
    try:
        tree = ast.parse(source_of(module).read_bytes())
    except (SyntaxError, ValueError) as error:
        raise PipelineError(
            f"{module} is not valid Python: {error}",
            expected="a module that can be imported",
            remedy="correct the file, then run the same command again",
        ) from error
    return {name: statement for statement in tree.body for name in _defined(statement)}


def _defined(statement: ast.stmt) -> list[str]:
    """List the names that a statement defines, those of a condition in either case."""
    if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return ["*" if statement.name == "__getattr__" else statement.name]
    if isinstance(statement, ast.Import):
        return [alias.asname or alias.name.partition(".")[0] for alias in statement.names]
    if isinstance(statement, ast.ImportFrom):
        return [alias.asname or alias.name for alias in statement.names if statement.module != "__future__"]
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
    inner = [one for one in ast.iter_child_nodes(statement) if isinstance(one, ast.stmt | ast.ExceptHandler)]
    return [name for one in inner for name in _defined(one)]  # type: ignore[arg-type]  # a handler has statements too


def _top(module: str, statement: ast.Import | ast.ImportFrom) -> str:
    name = statement.names[0].name if isinstance(statement, ast.Import) else _origin(module, statement)
    return name.partition(".")[0]


def _origin(module: str, statement: ast.ImportFrom) -> str:
    """Return the module that names are imported from."""
    if not statement.level:
        return statement.module or ""
    folder = _package(module).split(".")
    return ".".join([*folder[: len(folder) - statement.level + 1], *filter(None, [statement.module])])


def _package(module: str) -> str:
    return module if source_of(module).name == "__init__.py" else module.rpartition(".")[0]
