"""DailyDialog (Li et al. 2017) with its official splits.

One dialogue a line, each turn followed by ``__eou__``. The release is a zip of one zip per split; the three inner zips
alone or the three text files serve as well.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pyarrow as pa

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora.lines import decode_strictly
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.archives import read_member, read_text
from pipeline_lib.schemas.dialogues import DIALOGUES, SPLITS

_END_OF_TURN = "__eou__"
_BATCH_DIALOGUES = 5_000


def read(files: list[Path], source: Source, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Read the dialogues of all three splits.

    An empty turn keeps its number, so that its neighbours do not become an example that nobody spoke.

    Args:
        files: the release's zip, its three inner zips, or the three text files (may be ``.gz``).
        source: unused; the corpus has its own splits.
        skipped: counts what was left out, by reason.
    Raises:
        PipelineError: a split is missing, damaged or not UTF-8.
    """
    for split in SPLITS:
        where, content = _content(files, split)
        text = decode_strictly(content, where, skipped)
        lines = text.removesuffix("\n").split("\n") if text else []  # `splitlines` would also cut at U+2028 or U+0085
        for start in range(0, len(lines), _BATCH_DIALOGUES):
            yield _batch(split, start, lines[start : start + _BATCH_DIALOGUES], skipped)


def _content(files: list[Path], split: str) -> tuple[str, bytes]:
    """Find the text of a split: its location and its bytes."""
    text, inner = f"dialogues_{split}.txt", f"{split}.zip"
    for path in files:
        if path.name == inner:
            return f"{path} > {text}", read_member(path, text)
        if path.name in (text, f"{text}.gz"):
            return str(path), read_text(path)
    if len(files) == 1 and files[0].suffix == ".zip":
        return f"{files[0]} > {inner} > {text}", read_member(files[0], inner, text)
    raise PipelineError(
        f"no file holds the {split} split",
        where=", ".join(map(str, files)),
        expected=f"ijcnlp_dailydialog.zip, or {inner}, or {text}, and so for every split",
        remedy="name the files of the release so in the source's `bundles:`",
    )


def _batch(split: str, first: int, lines: list[str], skipped: Counter[str]) -> pa.RecordBatch:
    """Turn some lines of a split into Arrow rows; ``first`` is the 0-based number of the first line."""
    rows = []
    for number, line in enumerate(lines, first + 1):
        turns = [
            turn.strip() for turn in line.removesuffix("\n").strip().removesuffix(_END_OF_TURN).split(_END_OF_TURN)
        ]
        spoken = [(f"{split}-{number:06d}", position, turn) for position, turn in enumerate(turns) if turn]
        skipped["empty turns"] += len(turns) - len(spoken) if spoken else 0
        skipped["empty dialogues"] += not spoken
        rows += [spoken] if spoken else []
    ids, positions, texts = zip(*chain.from_iterable(rows), strict=True) if rows else ((), (), ())
    return pa.RecordBatch.from_arrays(
        [
            pa.array(ids, pa.string()),
            pa.array(positions, pa.int32()),
            pa.nulls(len(ids), pa.string()),
            pa.array(texts, pa.string()),
            pa.repeat(split, len(ids)),
            pa.nulls(len(ids), pa.int32()),
        ],
        schema=DIALOGUES,
    )
