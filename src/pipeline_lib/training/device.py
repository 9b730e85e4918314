"""Where and how exactly a job computes."""

import contextlib
import ctypes

import torch

from pipeline_lib.errors import PipelineError


def choose_device(wanted: str) -> torch.device:
    """The device that the settings name, cpu or cuda; ``auto`` takes a CUDA device if there is one.

    Raises:
        PipelineError: ``cuda`` was asked for and there is none.
    """
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise PipelineError(
            "no CUDA device",
            where="training.device",
            expected="a CUDA build of torch and a visible GPU",
            remedy="set `training: {device: auto}`, or install the CUDA build (README, `TORCH=cuda`)",
        )
    return torch.device("cuda" if wanted != "cpu" and available else "cpu")


def precise(device: torch.device, precision: str) -> contextlib.AbstractContextManager[None]:
    """Context in which the forward pass runs in the wanted precision; losses are computed in float32 in all three."""
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def keep_freed_memory() -> None:
    """Have glibc keep freed blocks instead of handing them back to the kernel: up to twice as fast training on CPUs.

    The logits of a step are megabytes; by default each is a fresh mmap whose pages the kernel zeroes again. (The mmap
    threshold could only be raised to 32 MB, so mmap is turned off.)
    """
    trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD, M_MMAP_MAX of malloc.h
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # not glibc: nothing to tune
        return
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, -1)


def seeded(device: torch.device, *parts: int) -> torch.Generator:
    """A generator whose stream is a function of ``parts`` (seed, step, ...): noise that needs no stored state."""
    from numpy.random import SeedSequence

    state = SeedSequence(parts).generate_state(2)
    return torch.Generator(device).manual_seed(int(state[0]) << 31 | int(state[1]) >> 1)
