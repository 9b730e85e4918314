"""The split of each dialogue, for a corpus without official splits."""

import hashlib
from collections.abc import Mapping
from typing import Literal

from pipeline_lib.schemas.dialogues import SPLITS

_FILE_WORDS = {"train": "train", "valid": "validation", "dev": "validation", "test": "test"}


def hashed_split(unit: str, shares: Mapping[Literal["validation", "test"], float], seed: int) -> str:
    """Choose the split of a dialogue or film by a seeded hash of its id, independent of the rest of the corpus.

    Args:
        unit: id of what must not be divided between splits.
        shares: expected shares of ``validation`` and ``test``; train has the rest.
        seed: another seed gives another, independent division.
    """
    digest = hashlib.blake2b(f"{seed}:{unit}".encode(), digest_size=8).digest()
    point = int.from_bytes(digest, "big") / 2**64
    validation, test = shares.get("validation", 0.0), shares.get("test", 0.0)
    return "validation" if point < validation else "test" if point < validation + test else "train"


def official_splits(names: list[str]) -> list[str] | None:
    """Return the splits of files by their names (train, valid or dev, test), or None unless all three are there."""
    found = [next((s for word, s in _FILE_WORDS.items() if word in name.lower()), "") for name in names]
    return found if set(found) == set(SPLITS) else None
