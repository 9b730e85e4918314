"""Arrays on disk instead of in memory, for as long as they are used."""

import tempfile
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.disk import is_disk_full


def concatenated(parts: Iterable[NDArray[Any]], dtype: DTypeLike) -> NDArray[Any]:
    """Join arrays as `numpy.concatenate` does, along the first axis, into a file that is mapped into memory.

    The file has no name, so nothing is left of it however the process ends. It lies in the temporary folder
    (``TMPDIR``; Snakemake's resource ``tmpdir``); the system keeps as much of it in memory as it has to spare.

    Args:
        parts: one or more arrays of ``dtype``, taken one after the other; their shapes differ in the first axis alone.
    Raises:
        PipelineError: the temporary folder is full.
    """
    row: tuple[int, ...] = ()
    try:
        with tempfile.TemporaryFile() as file:
            for part in parts:
                row = part.shape[1:]
                file.write(np.ascontiguousarray(part, dtype).data)
            file.flush()
            if not file.tell():  # an empty file cannot be mapped
                return np.empty((0, *row), dtype)
            return np.memmap(file, dtype, "r").reshape(-1, *row)
    except OSError as error:  # around the file as well: closing it writes once more what did not fit
        if is_disk_full(error):
            raise PipelineError(
                "no space left in the temporary folder",
                where=tempfile.gettempdir(),
                expected="room for 4 bytes a word and, in spectral clustering, 120 bytes a pair",
                remedy="free some space there, or name a larger folder with --default-resources tmpdir=…",
            ) from error
        raise
