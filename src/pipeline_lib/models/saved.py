"""A trained model on disk: its weights and, in the same file, what it takes to build the network again."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from pipeline_lib.config.layout import Description
from pipeline_lib.errors import PipelineError
from pipeline_lib.models.system import System, create
from pipeline_lib.models.weights import load_tensors, load_weights, save_tensors
from pipeline_lib.text.units import Units

_CONVERGED, _CONFIG = "converged", "config"  # beside the keys of the description


def build(description: Description, units: Units) -> System:
    """Build a fresh network, initialised from torch's current seed."""
    return create(description.model, description.options, units, description.network)


def save(
    path: Path,
    weights: dict[str, Tensor],
    description: Description,
    converged: bool | None = None,
    config: dict[str, Any] | None = None,
) -> None:
    """Write weights and description as one safetensors file.

    Args:
        converged: whether the training had come to rest, if known.
        config: `System.config`; with it the model is built again without the folder that its training started from.
    """
    # one entry: safetensors writes several in any order, and equal models would differ in their bytes
    told = description.model_dump(mode="json") | {_CONVERGED: converged} | ({_CONFIG: config} if config else {})
    save_tensors(path, weights, {"description": json.dumps(told)})


class Trained(NamedTuple):
    """What a model file holds: the system, and whether its training had come to rest; None if nobody knew."""

    system: System
    converged: bool | None


def load(path: Path, units: Units) -> Trained:
    """Read what `save` wrote.

    Raises:
        PipelineError: the file is damaged or foreign, or the units are not those it was trained with.
    """
    weights, metadata = load_tensors(path)
    try:
        told = json.loads(metadata.get("description", ""))
        converged, config = told.pop(_CONVERGED), told.pop(_CONFIG, None)
        description = Description.model_validate(told)
    except (ValueError, LookupError, TypeError, AttributeError) as error:  # a ValidationError is a ValueError
        raise PipelineError(
            f"the file does not say what network its weights are of: {' '.join(str(error).split())}",
            where=path,
            expected="a model written by this workflow",
            remedy="delete the file and run the same command again; it will be remade",
        ) from error
    model = create(description.model, description.options, units, description.network, config)
    load_weights(model, weights, path)
    return Trained(model, converged)


def start_from(model: System, path: Path) -> None:
    """Give ``model`` the weights of a trained one to begin with; the model says which of them it takes.

    Raises:
        PipelineError: the file is damaged, or a name or shape does not fit; lists those that do not.
    """
    weights, _ = load_tensors(path)
    try:
        model.start_from(weights)
    except RuntimeError as error:
        raise PipelineError(
            f"{type(model).__name__} cannot start from these weights: {' '.join(str(error).split())}",
            where=path,
            expected="a tensor of the same name and shape for every one of its own, and no other",
            remedy="start from a system of the same model, network and options, or override the model's `start_from`",
        ) from error
