"""Progress of long work: a bar on a terminal, a line every few seconds in a log file, never both."""

import sys
import time
from types import TracebackType
from typing import Any

_SECONDS_BETWEEN_LINES = 10.0


class ProgressBar:
    """Counts towards ``total`` units of work; use as a context manager.

    ``shown`` is false for all but one of the processes that do the work together.
    """

    def __init__(self, what: str, total: int | None, unit: str, done: int = 0, shown: bool = True) -> None:
        self._what, self._total, self._unit, self._done = what, total, unit, done
        self._bar: Any = None
        self._shown = shown
        self._start, self._first, self._last_line = time.monotonic(), done, time.monotonic()
        if shown and sys.stderr.isatty():
            from tqdm import tqdm  # on terminals only

            self._bar = tqdm(desc=what, initial=done, total=total, unit=" " + unit, unit_scale=unit == "B")

    def advance(self, amount: int = 1, note: str = "") -> None:
        """Count ``amount`` more units as done; ``note`` is shown beside the count."""
        self._done += amount
        if self._bar is not None:
            if note:
                self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(amount)
        elif time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._line(note)

    def _line(self, note: str) -> None:
        if not self._shown:
            return
        self._last_line = time.monotonic()
        rate = (self._done - self._first) / max(self._last_line - self._start, 1e-9)
        of = f" of {self._total:,}" if self._total else ""
        print(
            f"{self._what}: {self._done:,}{of} {self._unit} ({rate:,.1f}/s) {note}".rstrip(),
            file=sys.stderr,
            flush=True,
        )

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        elif kind is None:
            self._line("done")
