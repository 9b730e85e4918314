"""The numerical precision of a job."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def products(precision: str) -> Iterator[None]:
    """Let a GPU multiply matrices of a training step as the settings say; what they were before holds again after it.

    Validation, decoding and analyses are in float32 (`device.choose_device`), whatever a system was trained in.
    """
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision != "float32"  # by which recurrent layers run
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def forward_pass(device: torch.device, precision: str) -> torch.autocast:
    """Give the context of a forward pass; in each precision losses are computed in float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def at_least_float32(values: Tensor) -> Tensor:
    """Convert what a network gave in 16 bits under autocast to float32: exponentials and sums need the digits."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values
