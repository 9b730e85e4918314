"""Tensors on disk as safetensors: never pickle, which could run code."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline_lib.errors import REMAKE, PipelineError
from pipeline_lib.files.atomic import atomic
from pipeline_lib.files.provenance import verify


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write tensors (moved to the CPU) and string metadata atomically as safetensors."""
    with atomic(path) as temporary, _disk_errors():
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary, metadata)


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Turn safetensors' own error of a disk fault into the one that `atomic` knows."""
    try:
        yield
    except SafetensorError as error:
        raise OSError(str(error)) from error


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read tensors onto the CPU, and the metadata.

    Raises:
        PipelineError: changed since it was written, or no whole safetensors file (a pickled checkpoint is refused too:
            it can run code).
    """
    verify(path)
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        return load_file(path), metadata
    except (SafetensorError, FileNotFoundError) as error:
        raise PipelineError(
            f"not a readable safetensors file: {error}",
            where=path,
            expected="weights written by this workflow",
            remedy=REMAKE,
        ) from error


def load_weights(model: torch.nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    """Load ``weights`` into ``model``; names and shapes must agree.

    Raises:
        PipelineError: they do not.
    """
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise PipelineError(
            f"the weights are of another model: {str(error)[:300]}",
            where=path,
            remedy="delete the file and run the same command again; it will be remade",
        ) from error
