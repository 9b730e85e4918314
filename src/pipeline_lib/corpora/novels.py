"""English novels as sentences: hard-wrapped lines are joined to paragraphs, paragraphs cut into sentences.

A file holds one novel, or several, each below a line ``=== name ===``. Novels come in two forms, also within a file: a
line is a paragraph, or lines are wrapped at some width. The second is told by its lines alone, as not every such novel
has an empty line between paragraphs.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora.lines import subtitle_lines
from pipeline_lib.corpora.sentences import sentence_batch
from pipeline_lib.corpora.splits import hashed_split
from pipeline_lib.text.sentence_ends import sentences_of

_HEADING = re.compile(r"=== (.+) ===")
_GOES_ON = re.compile(r"[\w,;:-]$")  # a line within a sentence; a heading in capitals ends as one
_WRAPPED = 80  # characters; a novel without a longer line is wrapped
_FULL = 0.95  # share of a wrapped novel's lines that are no longer than its width: some stick out


def read(files: list[Path], source: Source, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Return the sentences of novels, each as a dialogue of one turn.

    Args:
        files: plain text or ``.gz``.
        source: ``splits`` and ``split_seed``: equal sentences go to one split, by a hash, so that no held-out sentence
            is in training.
        skipped: counts lines with bytes that are not UTF-8.
    Raises:
        PipelineError: a damaged gzip stream, or an implausibly long line.
    """
    for number, path in enumerate(files):
        for title, lines in _novels(path, skipped):
            texts = [sentence for paragraph in paragraphs(lines) for sentence in sentences_of(paragraph)]
            splits = [hashed_split(text, source.splits, source.split_seed) for text in texts]
            yield sentence_batch(f"{number}-{title}", 1, texts, splits, skipped)


def paragraphs(lines: Sequence[str]) -> Iterator[str]:
    """Join the lines of one novel to paragraphs.

    In a wrapped novel a paragraph ends at an empty line, or with a line that the first word of the next would have
    fitted into, unless its sentence goes on: widths differ within a novel.

    Args:
        lines: without outer spaces, some of them empty.
    """
    filled = sorted(len(line) for line in lines if line)
    if not filled or filled[-1] > _WRAPPED:
        yield from filter(None, lines)
        return
    width = filled[int(_FULL * (len(filled) - 1))]
    paragraph: list[str] = []
    for line in lines:
        if paragraph and (not line or _ends(paragraph[-1], line, width)):
            yield " ".join(paragraph)
            paragraph = []
        if line:
            paragraph.append(line)
    if paragraph:
        yield " ".join(paragraph)


def _ends(line: str, following: str, width: int) -> bool:
    is_short = len(line) + 1 + len(following.split(" ", 1)[0]) <= width
    return is_short and (line.isupper() or not _GOES_ON.search(line))


def _novels(path: Path, skipped: Counter[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the lines of each novel of a file, one novel in memory at a time."""
    title, lines = path.name.removesuffix(".gz").removesuffix(".txt"), list[str]()
    for block in subtitle_lines(path, skipped):
        for line in block.to_pylist():
            if heading := _HEADING.fullmatch(line):
                yield title, lines
                title, lines = heading[1].removesuffix(".txt"), []
            else:
                lines.append(line)
    yield title, lines
