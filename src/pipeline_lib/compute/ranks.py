"""The processes of one training job: one alone, or several that torchrun started, which share every batch."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from pipeline_lib.compute.sharing import Share
from pipeline_lib.errors import PipelineError

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
        self._control: dist.ProcessGroup | None = None  # of numbers that only the CPU wants: a GPU's queue goes on
        self._data: dist.ProcessGroup | None = None  # of tensors on the device

    @contextmanager
    def joined(self, device: torch.device) -> Iterator[None]:
        """Wait until all processes are here; within, they share every batch. A single process has nothing to do.

        Raises:
            PipelineError: some of them have a GPU and others none.
        """
        if self.number == 1:
            yield
            return
        dist.init_process_group("gloo", timeout=_PATIENCE)
        try:
            self._control = self._data = dist.group.WORLD
            if not self.all_equal(device.type == "cuda"):
                raise PipelineError(
                    f"a process on {socket.gethostname()} computes on {device.type}, another one of the job does not",
                    where="training.device: auto",
                    expected="a GPU for every process, or for none",
                    remedy="ask the scheduler for as many GPUs on each node, or set `training: {device: cpu}`",
                )
            if device.type == "cuda":
                self._data = dist.new_group(backend="nccl", timeout=_PATIENCE)
            yield
        finally:
            self._control = self._data = None
            dist.destroy_process_group()

    def share(self, examples: int) -> Share | None:
        """Return this process's part of a batch; None where it has the batch to itself."""
        return None if self._control is None else Share.of(examples, self.rank, self.number, self._data)

    def wait(self) -> None:
        """Go on when all processes are here."""
        self.any(False)

    def any(self, flag: bool) -> bool:
        """Tell whether ``flag`` is set in any process; all of them must ask."""
        if self._control is None:
            return flag
        value = torch.tensor(int(flag))
        dist.all_reduce(value, dist.ReduceOp.MAX, self._control)
        return bool(value)

    def all_equal(self, value: int) -> bool:
        """Tell whether all processes have the same ``value``; all of them must ask."""
        if self._control is None:
            return True
        extremes = torch.tensor([value, -value])
        dist.all_reduce(extremes, dist.ReduceOp.MAX, self._control)
        return bool(extremes.sum() == 0)

    def mean(self, values: dict[str, float]) -> dict[str, float]:
        """Average over the processes; all of them must ask, with the same names."""
        if self._control is None:
            return values
        total = torch.tensor(list(values.values()), dtype=torch.float64)
        dist.all_reduce(total, dist.ReduceOp.SUM, self._control)
        return dict(zip(values, (total / self.number).tolist(), strict=True))

    def concatenated(self, values: Tensor) -> Tensor:
        """Join the rows (n, ...) of all processes one after the other, on the CPU; all of them must ask."""
        values = values.cpu()
        if self._control is None:
            return values
        parts: list[Any] = [None] * self.number
        dist.all_gather_object(parts, values, self._control)
        return torch.cat(parts)

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Put the mean over the processes in the place of each tensor; all of them must ask, with the same shapes.

        All tensors travel in one exchange, whose result has the same bits in every process.
        """
        if self._data is None:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat, dist.ReduceOp.SUM, self._data)
        flat /= self.number
        for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(mean.view_as(tensor))
