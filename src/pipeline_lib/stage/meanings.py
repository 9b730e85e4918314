"""Meanings of modules that were read before, kept for the next start of Snakemake: parsing takes a fifth of it."""

import atexit
import hashlib
import json
from contextlib import suppress
from pathlib import Path

from pipeline_lib.files.notes import write_note
from pipeline_lib.stage import meaning
from pipeline_lib.stage.meaning import Meaning, meaning_of

ROOT = Path(__file__).parents[3]
_MOST = 2_000  # sources that are kept; the package and the scripts are some 500


class Meanings:
    """Meanings by the SHA-256 of their source; a file that holds nothing of use is as good as none.

    Args:
        file: where they are kept, as JSON.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._asked: dict[str, Meaning] = {}
        self._reader = hashlib.sha256(Path(meaning.__file__).read_bytes()).hexdigest()
        self._kept = self._load()

    def of(self, source: bytes) -> Meaning:
        """Return the meaning of a source; errors as those of `meaning_of`."""
        key = hashlib.sha256(source).hexdigest()
        if key not in self._asked:
            self._asked[key] = self._kept[key] if key in self._kept else meaning_of(source)
        return self._asked[key]

    def save(self) -> None:
        """Keep what was read, those of this process first; where nothing can be written, nothing is kept."""
        if self._asked.keys() <= self._kept.keys():
            return
        kept = dict(list((self._asked | self._kept).items())[:_MOST])
        with suppress(OSError):
            write_note(self.file, json.dumps({"reader": self._reader, "meanings": kept}))

    def _load(self) -> dict[str, Meaning]:
        try:
            found = json.loads(self.file.read_bytes())
            if found["reader"] != self._reader:
                return {}
            return {key: Meaning(*own) for key, own in found["meanings"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}


MEANINGS = Meanings(ROOT / ".snakemake" / "meanings.json")
atexit.register(MEANINGS.save)
