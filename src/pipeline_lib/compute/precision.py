"""The numerical precision of a job."""

import contextlib

import torch
from torch import Tensor


def precise(device: torch.device, precision: str) -> contextlib.AbstractContextManager[None]:
    """Give the context in which the forward pass runs in the wanted precision; all three compute losses in float32."""
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision != "float32"  # by which GRUs run; allowed unless it is forbidden
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def at_least_float32(values: Tensor) -> Tensor:
    """Convert what a network gave in 16 bits under autocast to float32: exponentials and sums need the digits."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values
