"""A batch shared among the processes of one training job: its loss and noise are those of the whole batch in one.

A model draws its noise with `normal` (or `drawn`), averages over examples with `mean`, and passes through `gathered`
what couples examples with one another. Then N processes follow the same loss curve as one, whatever N. Outside of
`holding`, where a process has the batch to itself, the four do the obvious.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Share:
    """The examples of a batch that this process holds.

    Attributes:
        rows: their positions in the whole batch, (B,) int64, on the CPU; every process has one at least.
        counted: how many of them count: B, or 0 where a small batch left this process one that another has too.
        whole: examples of the whole batch.
        processes: among whom it is shared.
        group: the group of torch.distributed by which they exchange tensors; None: the default one.
    """

    rows: Tensor
    counted: int
    whole: int
    processes: int
    group: dist.ProcessGroup | None = None

    @classmethod
    def of(cls, whole: int, rank: int, processes: int, group: dist.ProcessGroup | None = None) -> "Share":
        """Take every ``processes``-th example from ``rank`` on: sorted by length, the shares are equally long."""
        rows = torch.arange(rank, max(rank, whole), processes)
        return cls(rows if len(rows) else torch.zeros(1, dtype=torch.int64), len(rows), whole, processes, group)


_held: Share | None = None


@contextmanager
def holding(share: Share | None) -> Iterator[None]:
    """Declare that batches within are this share of a whole batch; None: they are whole."""
    global _held
    before, _held = _held, share
    try:
        yield
    finally:
        _held = before


def is_shared() -> bool:
    """Tell whether batches are shares of whole batches now."""
    return _held is not None


def whole_size(own: int) -> int:
    """Return how many examples the whole batch has, of which this process holds ``own``."""
    return own if _held is None else _held.whole


def drawn(draw: Callable[[int], Tensor], rows: int) -> Tensor:
    """Draw this process's share of the noise that a single process would draw.

    It is for ``rows`` values or rows of values, k of them for each example.

    Args:
        draw: makes noise of so many rows; it is asked for those of the whole batch.
    """
    if _held is None:
        return draw(rows)
    each = rows // len(_held.rows)
    noise = draw(_held.whole * each)
    return noise.unflatten(0, (_held.whole, each))[_held.rows.to(noise.device)].flatten(0, 1)


def normal(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    """Draw standard normal float32 noise on the device of ``like``; ``shape`` begins with the examples (or k each)."""
    return drawn(lambda n: torch.randn((n, *shape[1:]), generator=generator, device=like.device), shape[0])


def mean(values: Tensor) -> Tensor:
    """Average (B,) values, one for each example, scaled so that the mean over processes is the whole batch's."""
    if _held is None:
        return values.mean()
    return values[: _held.counted].sum() * (_held.processes / _held.whole)


def gathered(values: Tensor) -> Tensor:
    """Gather (B, ...) of this process into (whole batch, ...), in the order of the processes.

    The gradient of a function of the result, averaged over processes as it will be, is that of the function of the
    whole: each process contributes that of its own rows, times the number of processes.
    """
    if _held is None:
        return values
    most = -(-_held.whole // _held.processes)
    padded = values.new_zeros(most, *values.shape[1:])
    padded[: _held.counted] = values[: _held.counted].detach()
    parts = [torch.empty_like(padded) for _ in range(_held.processes)]
    dist.all_gather(parts, padded, _held.group)
    counts = [len(range(rank, _held.whole, _held.processes)) for rank in range(_held.processes)]
    own = values[: _held.counted]
    # the same values to the last bit, in half precision too, with the gradient of `processes` times them
    parts[dist.get_rank()] = own.detach() + _held.processes * (own - own.detach())
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


def token_mean(nll: Tensor, lengths: Tensor) -> Tensor:
    """Divide the sum of (B,) nats by the number of tokens of the whole batch, of texts of (B,) lengths."""
    return mean(nll) / gathered(lengths.to(nll)).mean()


def in_order(values: Tensor) -> Tensor:
    """Gather (B, ...) of this process into (whole batch, ...), as `gathered`, in the order of the whole batch."""
    if _held is None:
        return values
    rows = torch.cat([torch.arange(rank, _held.whole, _held.processes) for rank in range(_held.processes)])
    return gathered(values)[rows.argsort().to(values.device)]


def own_rows(whole: int, device: torch.device) -> Tensor:
    """Return the rows that this process holds of a batch of ``whole`` examples: (B,) int64."""
    return torch.arange(whole, device=device) if _held is None else _held.rows.to(device)
