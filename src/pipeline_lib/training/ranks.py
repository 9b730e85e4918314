"""The processes of one training job: one alone, or several that torchrun started, which share every batch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pipeline_lib.models.base import Batch, Objective, ResponseModel
from pipeline_lib.models.sharing import Share

_PATIENCE = timedelta(minutes=30)  # that processes wait for one another: a validation, a checkpoint, a slow disk


class Ranks:
    """This process among those of its job.

    Attributes:
        rank: its number; 0 writes the files.
        number: how many there are.
    """

    def __init__(self) -> None:
        self.number = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        self._control: dist.ProcessGroup | None = None

    @contextmanager
    def joined(self, device: torch.device) -> Iterator[None]:
        """Wait until all processes are here; within, they share every batch. Nothing to do where there is one."""
        if self.number == 1:
            yield
            return
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
        try:
            # for numbers that only the CPU wants: asking a GPU for them would stop its queue at every step
            self._control = dist.new_group(backend="gloo", timeout=_PATIENCE)
            yield
        finally:
            self._control = None
            dist.destroy_process_group()

    def share(self, examples: int) -> Share | None:
        """This process's part of a batch; None where it has the batch to itself."""
        return None if self._control is None else Share.of(examples, self.rank, self.number)

    def wait(self) -> None:
        """Go on when all processes are here."""
        self.any(False)

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` is set in any process; all of them must ask."""
        if self._control is None:
            return flag
        value = torch.tensor(int(flag))
        dist.all_reduce(value, dist.ReduceOp.MAX, self._control)
        return bool(value)

    def mean(self, values: dict[str, float]) -> dict[str, float]:
        """Means over the processes; all of them must ask, with the same names."""
        if self._control is None:
            return values
        total = torch.tensor(list(values.values()), dtype=torch.float64)
        dist.all_reduce(total, dist.ReduceOp.SUM, self._control)
        return dict(zip(values, (total / self.number).tolist(), strict=True))

    def concatenated(self, values: Tensor) -> Tensor:
        """The rows (n, ...) of all processes one after the other, on the CPU; all of them must ask."""
        values = values.cpu()
        if self._control is None:
            return values
        parts: list[Any] = [None] * self.number
        dist.all_gather_object(parts, values, self._control)
        return torch.cat(parts)

    def objective(self, model: ResponseModel) -> nn.Module:
        """``model.objective`` as a module, whose gradients DistributedDataParallel averages over the processes."""
        alone = _Objective(model)
        if self._control is None:
            return alone
        shared = DistributedDataParallel(alone, find_unused_parameters=True)  # an ablation may leave a network out
        # the only buffers, embeddings, never change: they need not be sent anew before each step (the argument of the
        # constructor that says so is called otherwise in every release)
        shared.require_forward_param_sync = False
        return shared


class _Objective(nn.Module):
    def __init__(self, model: ResponseModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        return self.model.objective(batch, weight, generator)
