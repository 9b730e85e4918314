"""The device on which a job computes."""

import ctypes
import os

import torch

from pipeline_lib.compute import gpus
from pipeline_lib.errors import PipelineError


def choose_device(wanted: str) -> torch.device:
    """Return the device that the settings name, cpu or cuda; ``auto`` takes a CUDA device if there is one.

    Of several GPUs a process that torchrun started takes that of its number, any other one that is free (`gpus.take`).

    Raises:
        PipelineError: ``cuda`` was asked for and there is none, or there are fewer GPUs than processes.
    """
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise PipelineError(
            "no CUDA device",
            where="training.device",
            expected="a CUDA build of torch and a visible GPU",
            remedy="set `training: {device: auto}`, or install the CUDA build (README, `TORCH=cuda`)",
        )
    if wanted == "cpu" or not available:
        return torch.device("cpu")
    device = torch.device("cuda", _gpu())
    torch.cuda.set_device(device)
    torch.backends.cudnn.allow_tf32 = False  # torch allows it by default; `precision.products` does in training
    return device


def _gpu() -> int:
    number = torch.cuda.device_count()
    if "LOCAL_RANK" not in os.environ:
        return gpus.take([str(torch.cuda.get_device_properties(i).uuid) for i in range(number)], 1)[0]
    rank = int(os.environ["LOCAL_RANK"])
    if rank >= number:
        raise PipelineError(
            f"more processes on this node than its {number} GPUs",
            where="resources: gpu= of the training job",
            expected=f"at most {number}",
            remedy="lower it, ask the scheduler for more GPUs a node, or set `training: {device: cpu}`",
        )
    return rank


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


def seed_weights(seed: int) -> None:
    """Have the initial weights of what is built from now on follow from ``seed``."""
    torch.manual_seed(seed)


def seeded(device: torch.device, *parts: int) -> torch.Generator:
    """Make a generator whose stream is a function of ``parts`` (seed, step, ...): noise that needs no stored state."""
    from numpy.random import SeedSequence

    state = SeedSequence(parts).generate_state(2)
    return torch.Generator(device).manual_seed(int(state[0]) << 31 | int(state[1]) >> 1)
