"""The way from a fetched corpus of any format to its dialogues."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter, ValidationError

from pipeline_lib.config.corpora import Source
from pipeline_lib.config.settings import FileName, Settings
from pipeline_lib.corpora.broken import BROKEN, NOTED
from pipeline_lib.corpora.division import divided
from pipeline_lib.corpora.speakers import joined
from pipeline_lib.errors import REMAKE, PipelineError
from pipeline_lib.files.checksums import sha256
from pipeline_lib.schemas.dialogues import SPLITS
from pipeline_lib.stage.kinds import load
from pipeline_lib.stage.screen import warn

log = logging.getLogger(__name__)


class _Fetched(Settings):
    """An entry of ``manifest.json``."""

    name: FileName
    sha256: str
    bytes: int


def read_dialogues(source: Source, manifest: Path | None = None) -> Iterator[pa.RecordBatch]:
    """Read the dialogues of a corpus: rows of one dialogue are consecutive and in the order of their turns.

    What was skipped is logged when the last row has been taken.

    Args:
        source: names the reader, the module of this package that does the work. A module whose format lacks a split
            says in ``SPLITS`` which it has.
        manifest: ``manifest.json`` beside the fetched files; a generated corpus has none.
    Returns:
        Batches of `DIALOGUES`.
    Raises:
        PipelineError: a file is missing or changed since it was fetched, a fault in its text, or an empty split.
    """
    files = verified_files(manifest) if manifest else []
    reader = load("pipeline_lib.corpora", source.reader, "read")
    skipped: Counter[str] = Counter()
    turns: Counter[str] = Counter()
    batches = reader.read(files, source, skipped)
    if source.same_speaker == "join":
        batches = joined(batches, skipped)
    if source.division is not None:
        batches = divided(batches, source.window, source.division)
    for batch in batches:
        for count in pc.value_counts(batch.column("split")).to_pylist():
            turns[count["values"]] += count["counts"]
        if batch.num_rows:
            yield batch
    _report(source, turns, skipped)
    # of windows that are divided one by one, each split is checked when they are cut
    needed = getattr(reader, "SPLITS", SPLITS) if source.division is None else ()
    _check_splits(source, needed, turns, skipped, manifest, files)


def verified_files(manifest: Path) -> list[Path]:
    """List the files of a manifest, in its order, after checking that each has the checksum it was fetched with.

    Raises:
        PipelineError: the manifest is damaged, or a file is gone or has changed.
    """
    files = []
    for entry in _entries(manifest):
        path = manifest.parent / entry.name
        found = sha256(path) if path.is_file() else "missing"
        if found != entry.sha256:
            raise PipelineError(
                "a fetched file is missing" if found == "missing" else "a fetched file has changed",
                where=path,
                expected=f"sha256 {entry.sha256}; found {found}",
                remedy=f"delete {manifest} and run the same command again (with a bucket: --forcerun download_corpus)",
            )
        files.append(path)
    return files


def _entries(manifest: Path) -> list[_Fetched]:
    try:
        return TypeAdapter(list[_Fetched]).validate_json(manifest.read_bytes())
    except (OSError, ValidationError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise PipelineError(
            f"not a manifest of fetched files: {first}",
            where=manifest,
            expected="a name, a sha256 and a size for each file, as download_corpus writes them",
            remedy=REMAKE,
        ) from error


def _summary(skipped: Counter[str]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(skipped.items()) if count) or "nothing"


def _report(source: Source, turns: Counter[str], skipped: Counter[str]) -> None:
    read = ", ".join(f"{turns[split]:,} {split}" for split in SPLITS)
    log.info("%s: turns read: %s; skipped or mended: %s", source.reader, read, _summary(skipped))
    if skipped[BROKEN] > NOTED * (turns.total() + skipped[BROKEN]):
        warn(
            f"corpus {source.label}: {skipped[BROKEN]:,} lines are broken for reader {source.reader!r} and left out; "
            f"{turns.total():,} turns were read. If this is wrong, name another `reader:` of the source."
        )


def _check_splits(
    source: Source,
    splits: Sequence[str],
    turns: Counter[str],
    skipped: Counter[str],
    manifest: Path | None,
    files: Sequence[Path],
) -> None:
    where = manifest or f"a source with reader {source.reader!r}"
    if not turns.total():
        raise PipelineError(
            f"the corpus has no usable dialogue ({f'skipped: {_summary(skipped)}' if +skipped else 'it has no rows'})",
            where=", ".join(map(str, files)) or where,
            expected="at least one utterance",
            remedy=f"check that the files are in the format of reader {source.reader!r}",
        )
    if missing := [split for split in splits if not turns[split]]:
        raise PipelineError(
            f"no dialogue is in the {' and the '.join(missing)} split",
            where=where,
            expected=f"dialogues in {', '.join(splits)}",
            remedy="raise the shares in `splits:`, change `split_seed:`, or complete the corpus's own splits",
        )
