"""Files from outside the results, such as responses made elsewhere: whether they are those that were read before."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pipeline_lib.files.checksums import is_local_copy, sha256
from pipeline_lib.files.notes import write_note
from pipeline_lib.files.provenance import record_of

NOTES = "outside"  # file beside the plans


class OutsideFiles:
    """Checksums of files from outside, computed once for as long as size, times and inode of a file stay the same.

    Args:
        folder: where they are kept from one run to the next.
        kept: whether new ones are; false: nothing is written.
    """

    def __init__(self, folder: Path, *, kept: bool = True) -> None:
        self._path, self._kept = folder / NOTES, kept
        self._notes: dict[str, list[object]] | None = None

    def replaced(self, made: Path | str, outside: Mapping[str, str]) -> list[str]:
        """List the files from outside that have other bytes now than the file ``made`` was made from.

        Args:
            outside: path of each input of its job from outside, by its name in records.
        """
        record = record_of(Path(made))
        read = {path: record.read[name] for name, path in outside.items() if name in record.read} if record else {}
        there = [path for path in read if Path(path).is_file() and not is_local_copy(Path(path))]
        return [path for path in there if self.sha256(Path(path)) != read[path]]

    def sha256(self, path: Path) -> str:
        """Return the hex digest of a file's bytes."""
        found = path.stat()
        # the time of the last change of the inode is set by the system alone: no copy or move brings an old one along
        state = [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
        notes, key = self._read(), str(path.absolute())
        if notes.get(key, [])[:-1] != state:
            notes[key] = [*state, sha256(path)]
            self._write()
        return str(notes[key][-1])

    def _read(self) -> dict[str, list[object]]:
        if self._notes is None:
            self._notes = {}
            with suppress(OSError, ValueError, TypeError, AttributeError):  # there are none yet, or damaged ones
                notes = json.loads(self._path.read_text(encoding="utf-8"))
                self._notes = {key: note for key, note in notes.items() if len(note) == 5}
        return self._notes

    def _write(self) -> None:
        if not self._kept:
            return
        with suppress(OSError):  # without notes, the files are read once more
            write_note(self._path, json.dumps(self._notes))
