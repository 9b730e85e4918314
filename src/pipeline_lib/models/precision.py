"""Numbers with the digits that they need, whatever precision the matrix products have."""

import torch
from torch import Tensor


def at_least_float32(values: Tensor) -> Tensor:
    """Under autocast, what a network gave in 16 bits as float32: exponentials and sums need the digits."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values
