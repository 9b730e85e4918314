"""What every reader of foreign input promises, and how long and how large it may get in keeping it."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hypothesis.strategies import SearchStrategy

from pipeline_lib.errors import PipelineError

T = TypeVar("T")

SECONDS = 5.0  # processor time of one case: many times what the slowest takes
LONGEST_MESSAGE = 20_000  # characters; more is no message


@dataclass(frozen=True)
class Reader:
    """One kind of foreign input.

    Args:
        cases: what may come, most of it nearly right.
        check: reads one case in an empty folder and asserts that whatever is accepted equals an independent parse;
            gives whether it was accepted.
    """

    name: str
    cases: SearchStrategy[Any]
    check: Callable[[Path, Any], bool]


def as_browsers(text: str) -> str:
    """Read U+0080 to U+009F as bytes of windows-1252, where these have a character."""
    return "".join((bytes([ord(c)]).decode("cp1252", "ignore") or c) if "\x80" <= c <= "\x9f" else c for c in text)


def refused_or(read: Callable[[], T]) -> T | None:
    """The result, or None where the input is refused by an error that says where and what to do; no other may leave."""
    try:
        return in_time(read)
    except PipelineError as caught:
        error = caught
    message = str(error)
    assert error.problem, "an error without a problem"
    assert error.where, f"an error that names no place: {message}"
    assert error.remedy, f"an error without a remedy: {message}"
    message.encode("utf-8")  # it can be printed
    assert len(message) < LONGEST_MESSAGE, f"a message of {len(message)} characters"
    assert all(c.isprintable() or c == "\n" for c in message), f"a message that steers the terminal: {message!r}"
    return None


def in_time(read: Callable[[], T]) -> T:
    """The result, if it comes within ``SECONDS`` of processor time."""

    def late(*_: Any) -> None:
        raise TimeoutError(f"no answer within {SECONDS} s")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        return read()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
