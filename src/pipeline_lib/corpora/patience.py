"""How long a download waits for its server: a socket's timeout alone is content with a byte now and then."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

_SOONEST = 0.01  # seconds; a timer that is set to 0 never rings


class DeadlineError(Exception):
    """The time for a file is over."""


@dataclass(frozen=True)
class Patience:
    """Time limits and attempts of a download.

    Args:
        timeout: seconds within which a connection must bring ``least`` bytes or its end; else it is given up.
        least: bytes. An attempt that brought fewer before it failed counts as one without any.
        attempts: failures in a row, none of which brought ``least`` bytes, after which a URL is given up.
        pause: seconds before the second attempt; doubled before each further one.
        deadline: seconds after which a file is given up, whatever arrives.
    """

    timeout: float = 30.0
    least: int = 1 << 14
    attempts: int = 5
    pause: float = 1.0
    deadline: float = 12 * 3600.0


@contextmanager
def watched(patience: Patience, until: float, arrived: Callable[[], int]) -> Iterator[None]:
    """End what is done within where it is too slow. Works in the main thread alone.

    Args:
        until: the deadline, as `time.monotonic` tells the time.
        arrived: counts the bytes that are there.
    Raises:
        ConnectionError: fewer than ``patience.least`` bytes came within ``patience.timeout``.
        DeadlineError: the deadline has passed.
    """
    before, late = arrived(), DeadlineError(f"not complete within {patience.deadline:g} s")

    def ring(_signal: int, _frame: FrameType | None) -> None:
        nonlocal before
        if time.monotonic() >= until:
            raise late
        now = arrived()
        if now - (before if now >= before else 0) < patience.least:  # a server without ranges began again at byte 0
            raise ConnectionError(f"fewer than {patience.least:,} bytes within {patience.timeout:g} s")
        before = now
        signal.setitimer(signal.ITIMER_REAL, next_ring())

    def next_ring() -> float:
        return max(_SOONEST, min(patience.timeout, until - time.monotonic()))

    if time.monotonic() >= until:
        raise late
    earlier = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, next_ring())
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)
