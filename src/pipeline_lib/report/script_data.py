"""Data as scripts: a page opened from a folder may load scripts that lie beside it, but may not fetch a file."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np

from pipeline_lib.files.formats import write_text

# `<` could begin a tag where a script is part of a page; the separators end a line in older engines
_UNSAFE = {"<": "\\u003c", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def literal(value: Any) -> str:
    """Write ``value`` as a JavaScript expression that holds no tag, whatever its texts hold.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escape in _UNSAFE.items():
        text = text.replace(character, escape)
    return text


def packed(values: np.ndarray, kind: str) -> str:
    """Encode the values as base64 of little-endian ``kind``, a numpy type such as ``<f4``, for ``static/columns.js``.

    Raises:
        ValueError: a value does not fit.
    """
    stored = np.ascontiguousarray(values, dtype=kind)
    if stored.dtype.kind in "iu" and not np.array_equal(stored, values):
        raise ValueError(f"values from {values.min()} to {values.max()} do not fit into {kind}")
    return base64.b64encode(stored.tobytes()).decode("ascii")


def write_call(path: Path, function: str, *arguments: Any) -> None:
    """Write a script that calls ``function`` with ``arguments``."""
    write_text(path, f"{function}({','.join(map(literal, arguments))});\n")
