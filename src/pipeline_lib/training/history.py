"""The log of a training job: JSON lines, which are the record, and TensorBoard events, which are a view of them."""

import json
from pathlib import Path
from typing import Any

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_text


class History:
    """Appends records to ``path`` and mirrors their numbers to TensorBoard under ``tensorboard``.

    Resuming begins with the lines ``kept`` in the checkpoint, so that steps done twice are recorded once and damage
    to the file in between does no harm.
    """

    def __init__(self, path: Path, kept: str, tensorboard: Path, step: int) -> None:
        from torch.utils.tensorboard.writer import SummaryWriter

        path.parent.mkdir(parents=True, exist_ok=True)
        self._lines = [kept]
        self._file = open(path, "w", encoding="utf-8")  # noqa: SIM115 -- open for the life of the job
        self._file.write(kept)
        self._events = SummaryWriter(str(tensorboard), purge_step=step)

    def record(self, kind: str, step: int, values: dict[str, Any]) -> None:
        """Write one record: ``kind`` (train or validation), ``step`` and numbers."""
        self._lines.append(json.dumps({"kind": kind, "step": step} | values) + "\n")
        self._file.write(self._lines[-1])
        for name, value in values.items():
            self._events.add_scalar(f"{kind}/{name}", value, step)

    def flush(self) -> str:
        """Show everything to those who watch; gives all lines."""
        self._file.flush()
        self._events.flush()
        return "".join(self._lines)

    def close(self) -> None:
        self._file.close()
        self._events.close()


def read_history(path: Path) -> list[dict[str, Any]]:
    """Read the records that a training job logged, in order.

    Raises:
        PipelineError: a line is not a JSON object with `kind` and `step`.
    """
    records = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            record = None
        if not (isinstance(record, dict) and {"kind", "step"} <= record.keys()):
            raise PipelineError(
                f"no record of training: {line[:80]!r}",
                where=f"{path}:{number}",
                expected='a JSON object such as {"kind": "validation", "step": 100, "ppl": 30.1}',
                remedy="delete the folder of this run; it will be trained again",
            )
        records.append(record)
    return records
