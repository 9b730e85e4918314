"""The state of a training job in one safetensors file: weights, optimisers, best weights so far, counters, history.

One file, because one rename is atomic and two are not. The checkpoint before it is kept too: a damaged one costs the
steps between the two, not the training.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from pipeline_lib.files.atomic import keep
from pipeline_lib.files.checksums import checksum_file, intact
from pipeline_lib.models.weights import load_tensors, load_weights, save_tensors
from pipeline_lib.training.repetition import Repetition
from pipeline_lib.training.selection import Selection

CURRENT, PREVIOUS = "checkpoint.safetensors", "previous.safetensors"
_MODEL, _BEST, _OPTIMISER, _HISTORY = "model/", "best/", "optimiser/", "history"


@dataclass
class Progress:
    """Counters that a resumed job goes on from; a checkpoint lies between two rounds."""

    round: int = 0  # rounds done: what the settings and records call a step
    drawn: int = 0  # batches drawn
    updates: int = 0  # updates done, of all phases
    seconds: float = 0.0  # of training, over all attempts
    selection: Selection = field(default_factory=Selection)
    repetition: Repetition = field(default_factory=Repetition)


def newest(folder: Path) -> Path | None:
    """Return the newest checkpoint in ``folder`` that is as it was written; None, with a warning, if none is."""
    found = [path for path in (folder / CURRENT, folder / PREVIOUS) if path.exists()]
    for path in found:
        if intact(path):
            return path
        print(f"{path}: damaged; it is not used", file=sys.stderr)
    if found:
        print(
            f"Warning: no checkpoint in {folder} is intact; training starts again from the beginning", file=sys.stderr
        )
    return None


def forget_newer(folder: Path, kept: Path | None) -> None:
    """Remove the checkpoints newer than ``kept``, or all, which are damaged: else the next would put one in its place.

    It is for one process of a job, after all have read theirs.
    """
    for name in (CURRENT, PREVIOUS):
        if kept == folder / name:
            return
        for damaged in (folder / name, checksum_file(folder / name)):
            damaged.unlink(missing_ok=True)


def save(
    folder: Path,
    progress: Progress,
    model: torch.nn.Module,
    optimisers: Mapping[str, torch.optim.Optimizer],
    best: dict[str, Tensor],
    history: str,
) -> None:
    """Write the whole state atomically, and keep the one that was there; ``optimisers`` by the names of the phases."""
    if (folder / CURRENT).exists():
        keep(folder / CURRENT, folder / PREVIOUS)
    tensors = {_MODEL + name: value for name, value in model.state_dict().items()}
    for phase, optimiser in optimisers.items():
        for index, values in optimiser.state_dict()["state"].items():
            prefix = f"{_OPTIMISER}{phase}/{index}/"
            tensors |= {prefix + name: torch.as_tensor(value) for name, value in values.items()}
    _write(folder, tensors, progress, best, history)


def finish(folder: Path, progress: Progress, best: dict[str, Tensor], history: str) -> None:
    """Keep of a job that has done its last step what it needs to write its outputs: a quarter of a checkpoint."""
    _write(folder, {}, progress, best, history)
    for left in (folder / PREVIOUS, checksum_file(folder / PREVIOUS)):
        left.unlink(missing_ok=True)


def _write(folder: Path, tensors: dict[str, Tensor], progress: Progress, best: dict[str, Tensor], history: str) -> None:
    tensors |= {_BEST + name: value for name, value in best.items()}
    if history:  # a tensor: metadata have a limit
        tensors[_HISTORY] = torch.frombuffer(bytearray(history.encode()), dtype=torch.uint8)
    save_tensors(folder / CURRENT, tensors, {"progress": json.dumps(asdict(progress))})


def load(
    path: Path, model: torch.nn.Module, optimisers: Mapping[str, torch.optim.Optimizer]
) -> tuple[Progress, dict[str, Tensor], str]:
    """Put a saved state into ``model`` and ``optimisers``; gives the counters, the best weights and the history.

    A job that was done (`finish`) has nothing to train on, and all stay as they are.

    Raises:
        PipelineError: the file is damaged or belongs to another model.
    """
    tensors, metadata = load_tensors(path)
    weights = {k.removeprefix(_MODEL): v for k, v in tensors.items() if k.startswith(_MODEL)}
    if weights:
        load_weights(model, weights, path)
    states: dict[str, dict[int, dict[str, Tensor]]] = {phase: {} for phase in optimisers}
    for key, value in tensors.items():
        if key.startswith(_OPTIMISER):
            phase, index, name = key.removeprefix(_OPTIMISER).rsplit("/", 2)
            states[phase].setdefault(int(index), {})[name] = value
    for phase, optimiser in optimisers.items():
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": states[phase], "param_groups": groups})
    best = {k.removeprefix(_BEST): v for k, v in tensors.items() if k.startswith(_BEST)}
    history = tensors[_HISTORY].numpy().tobytes().decode() if _HISTORY in tensors else ""
    counters = json.loads(metadata["progress"])
    parts = {"selection": Selection(**counters["selection"]), "repetition": Repetition(**counters["repetition"])}
    return Progress(**counters | parts), best, history
