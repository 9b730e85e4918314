"""Small files that the workflow keeps for itself and could make again: plans, checksums of outside files, caches."""

import os
from contextlib import suppress
from pathlib import Path


def write_note(path: Path, text: str) -> None:
    """Write a text whole or not at all, without the checksum and the record that `files.atomic` keeps of results.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    fresh = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text, encoding="utf-8")
        os.replace(fresh, path)
    finally:
        with suppress(OSError):
            fresh.unlink()
