"""The split of each dialogue, for a corpus without official splits."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pipeline_lib.config.corpora import Source
from pipeline_lib.errors import PipelineError
from pipeline_lib.schemas.dialogues import SPLITS

SPLIT_NAMES = {  # as corpora write them, in lower case: as the project does
    **{name: "train" for name in ("train", "training")},
    **{name: "validation" for name in ("validation", "valid", "val", "dev", "development")},
    "test": "test",
}
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


def splits_of_files(files: Sequence[Path], source: Source) -> list[str] | None:
    """Return the splits of files: those that `split:` of their entries names, or else those that their names tell.

    Returns:
        (F) a split for each file; None where neither tells them.
    Raises:
        PipelineError: some files of a set have a `split:`, others none.
    """
    named = {file.name: file.split for bundle in source.bundles for file in bundle}
    given = [named.get(path.name) for path in files]
    if not any(given):
        return official_splits([path.name for path in files])
    if not all(given):
        raise PipelineError(
            f"no split is named for {files[given.index(None)].name}",
            where=f"`bundles:` of a source with reader {source.reader!r}",
            expected="`split: train`, `dev` or `test` beside the name of every file of the set, or of none",
            remedy="add it, or put what belongs to several splits into one file with a split column",
        )
    return [SPLIT_NAMES[split] for split in given if split]


def official_splits(names: list[str]) -> list[str] | None:
    """Return the splits of files by their names (train, valid or dev, test), or None unless all three are there."""
    found = [next((s for word, s in _FILE_WORDS.items() if word in name.lower()), "") for name in names]
    return found if set(found) == set(SPLITS) else None
