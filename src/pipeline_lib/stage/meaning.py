"""What the source of a module means: its code without comments, docstrings and what it only says.

Arguments of errors and of log messages and descriptions of settings are left out, so mending a sentence never retrains
a model. How often training writes a record stays in, since ``history.jsonl`` is an output.
"""

import ast
import hashlib
from collections.abc import Iterator
from typing import NamedTuple


class Meaning(NamedTuple):
    """A function of the source alone, the same under every supported Python.

    Attributes:
        digest: SHA-256 of the parsed code.
        imports: the dotted names that it imports, wherever; ``..a.b`` of a folder above.
        files: the strings in it that may name a file: those with a dot.
    """

    digest: str
    imports: list[str]
    files: list[str]


def meaning_of(source: bytes) -> Meaning:
    """Read the source of a module.

    Raises:
        SyntaxError, ValueError: it is not valid Python.
    """
    tree = ast.parse(source)
    parts: list[str] = []
    imports: list[str] = []
    _walk(tree, parts, imports, frozenset(_makers_of_errors(tree)))
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()
    files = {part[1:-1] for part in parts if part[0] in "'\"" and "." in part}
    return Meaning(digest, list(dict.fromkeys(imports)), sorted(files))


def _makers_of_errors(tree: ast.Module) -> Iterator[str]:
    """List the functions of a module that return an error, as their annotation says."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and _ends_with_error(node.returns):
            yield node.name


def _walk(node: ast.AST, parts: list[str], imports: list[str], makers: frozenset[str]) -> None:
    """Append what ``node`` means to ``parts``, and the names that it imports to ``imports``.

    Empty fields are left out: newer Pythons have more of them. Names are kept, contexts (load, store) follow from
    the place and are not.
    """
    if isinstance(node, ast.Import | ast.ImportFrom):
        imports.extend(_imported(node))
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


def _imported(statement: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """List what a statement imports: of ``from a import b``, ``a.b``, a module or something in one."""
    base = ""
    if isinstance(statement, ast.ImportFrom):
        base = "." * statement.level + (f"{statement.module}." if statement.module else "")
    for alias in statement.names:
        yield base + alias.name


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
