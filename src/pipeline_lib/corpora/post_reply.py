"""Posts with a reply each: ``post<TAB>reply``, one a line; further columns before the post are left out."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora.broken import BROKEN
from pipeline_lib.corpora.lines import subtitle_lines
from pipeline_lib.corpora.pairs import arranged
from pipeline_lib.corpora.splits import splits_of_files

_LINE = r"^(?:.*\t)?(?P<post>[^\t]*[^\t\s][^\t]*)\t(?P<reply>[^\t]*[^\t\s][^\t]*)$"


def read(files: list[Path], source: Source, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Read all pairs in one batch; replies to the same post are a cluster.

    Splits are those of the files, or else every post is assigned by a seeded hash.

    Args:
        files: plain text or ``.gz``.
        source: ``bundles``, ``splits`` and ``split_seed`` are used.
        skipped: counts empty lines and such without a tab.
    """
    told: Sequence[str | None] | None = splits_of_files(files, source)
    parts = []
    for path, split in zip(files, told or [None] * len(files), strict=True):
        for lines in subtitle_lines(path, skipped, partial(pc.utf8_trim, characters=" \r")):
            found = pc.extract_regex(lines, _LINE)
            skipped.update({BROKEN: found.null_count} if found.null_count else {})
            pairs = found.drop_null()
            posts, replies = (pc.utf8_trim_whitespace(pairs.field(name)) for name in ("post", "reply"))
            clusters = pc.binary_join_element_wise(split, posts, " ") if split else posts
            parts.append(
                pa.table(
                    {
                        "context": posts,
                        "response": replies,
                        "cluster": clusters,
                        "negative": pa.nulls(len(posts), pa.string()),
                        "split": pa.array([split] * len(posts), pa.string()),
                    }
                )
            )
    if parts:  # an empty file has no block of lines
        yield arranged(pa.concat_tables(parts), source)
