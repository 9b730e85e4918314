"""How much arithmetic a training does: matrix products of its steps, and how many of them the machine can do.

A multiplication with an addition counts as two operations. Only matrix products count; they are nearly all of the
arithmetic of these networks.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from pipeline_lib.compute.device import seeded
from pipeline_lib.compute.precision import forward_pass, products
from pipeline_lib.config.training import Training
from pipeline_lib.examples.batch import Batch
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.examples.order import BatchOrder
from pipeline_lib.models.system import System
from pipeline_lib.training.phases import TrainedPhase, trained_phases

_SIZE = {"cpu": 1024, "cuda": 8192}  # rows and columns of the product that is timed
_TIMES = 3


def operations_per_token(model: System, examples: ExampleDataset, settings: Training, seed: int, rounds: int) -> float:
    """Count the operations of a training step per token of the responses that it draws, end tokens included.

    The forward and backward passes of a round in the middle of ``rounds`` are made; no weight changes.
    """
    order = BatchOrder(examples, settings.batch_size, settings.bucket_batches, seed)
    phases = [phase for phase in trained_phases(model, settings) if phase.takes_part(rounds // 2)]
    rows = order.rows(0)  # one batch: operations a token depend little on the lengths in it
    operations = _of_step(model, phases, examples.batch(rows).to(model.device), settings, seed)
    return operations / (examples.targets(rows) * sum(phase.updates for phase in phases))


def _of_step(model: System, phases: Sequence[TrainedPhase], batch: Batch, settings: Training, seed: int) -> int:
    total = 0
    for phase in phases:
        with _plain_layers(), _Counter() as counter:
            with forward_pass(model.device, settings.precision):
                loss = phase.objective(batch, 1.0, seeded(model.device, seed)).loss
            torch.autograd.grad(loss, phase.parameters, allow_unused=True)
        total += phase.updates * counter.operations
    return total


class _Counter(TorchDispatchMode):
    """Counts the operations of matrix products by torch's formulas; torch's own counter would load its compiler."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if (formula := flop_registry.get(func._overloadpacket)) is not None:
            self.operations += formula(*args, **(kwargs or {}), out_val=out)
        return out


@contextmanager
def _plain_layers() -> Iterator[None]:
    """Compute recurrent layers by torch's own products: those of libraries are hidden from the counter."""
    before, *_ = torch.backends.mkldnn.set_flags(False, _fp32_precision=None)
    try:
        with torch.backends.cudnn.flags(enabled=False):
            yield
    finally:
        torch.backends.mkldnn.set_flags(before, _fp32_precision=None)


def matrix_peak(device: torch.device, precision: str) -> float:
    """Time a large matrix product on the threads or the GPU of this job: operations a second, the best of a few."""
    size = _SIZE[device.type]
    left, right = (torch.ones(size, size, device=device) for _ in range(2))
    best = 0.0
    with products(precision), forward_pass(device, precision):
        for _ in range(_TIMES + 1):  # the first is the slow one
            started = time.perf_counter()
            product = left @ right
            product[0, 0].item()  # a GPU works on while Python goes ahead: wait
            best = max(best, 2 * size**3 / (time.perf_counter() - started))
    return best
