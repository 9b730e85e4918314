"""What a training job logs: JSON lines, which are the record, and TensorBoard events, which are a view of them."""

import json
import os
from pathlib import Path
from typing import Any


class History:
    """Appends records to ``path`` and mirrors their numbers to TensorBoard under ``tensorboard``.

    Resuming cuts the file back to ``keep_bytes``, so that steps done twice are recorded once.
    """

    def __init__(self, path: Path, keep_bytes: int, tensorboard: Path, step: int) -> None:
        from torch.utils.tensorboard.writer import SummaryWriter

        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.truncate(path, keep_bytes)
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115 -- open for the life of the job
        self._events = SummaryWriter(str(tensorboard), purge_step=step)

    def record(self, kind: str, step: int, values: dict[str, Any]) -> None:
        """Write one record: ``kind`` (train or validation), ``step`` and numbers."""
        self._file.write(json.dumps({"kind": kind, "step": step} | values) + "\n")
        for name, value in values.items():
            self._events.add_scalar(f"{kind}/{name}", value, step)

    def flush(self) -> int:
        """Push everything to disk; gives the length of the file in bytes."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._events.flush()
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        self._events.close()
