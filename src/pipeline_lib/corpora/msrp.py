"""Microsoft Research Paraphrase Corpus (Dolan et al. 2004): pairs of sentences, and whether they mean the same.

A pair is a dialogue of two turns. Quotation marks are text: the cells are not quoted, and many hold a single mark.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora.labelled import file_of, labelled_batch, wrong_line
from pipeline_lib.corpora.lines import decode_strictly
from pipeline_lib.files.archives import read_text
from pipeline_lib.schemas.dialogues import HELD_OUT

SPLITS = ("train", HELD_OUT[-1])  # there is no validation split

_FILES = {split: f"msr_paraphrase_{split}.txt" for split in SPLITS}
_HEADER = ["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"]
_FORM = "Quality (0 or 1), #1 ID, #2 ID, #1 String and #2 String, parted by tabs"


def read(files: list[Path], source: Source, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Return the pairs of both splits; the label is 1 for a paraphrase, 0 for none.

    Args:
        files: ``msr_paraphrase_train.txt`` and ``msr_paraphrase_test.txt``, plain or ``.gz``.
        source: unused; the corpus has its own splits.
        skipped: counts lines with control characters that were mended.
    Raises:
        PipelineError: a file is missing, not UTF-8, or has other columns; a line has another number of cells, an empty
            sentence or another quality; names the line.
    """
    for split, name in _FILES.items():
        path = file_of(files, name)
        text = decode_strictly(read_text(path), str(path), skipped)
        lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
        if lines[0].split("\t") != _HEADER:
            raise wrong_line(path, 1, f"other columns: {lines[0]!r}", _FORM)
        pairs = [_pair(line, path, number) for number, line in enumerate(lines[1:], start=2)]
        numbers = range(2, len(lines) + 1)
        yield labelled_batch(split, numbers, [texts for texts, _ in pairs], [label for _, label in pairs])


def _pair(line: str, path: Path, number: int) -> tuple[tuple[str, str], int]:
    cells = [cell.strip() for cell in line.split("\t")]
    if len(cells) != len(_HEADER) or not all(cells):
        filled = sum(map(bool, cells))
        raise wrong_line(path, number, f"{filled} filled cells of {len(cells)}", _FORM)
    if cells[0] not in ("0", "1"):
        raise wrong_line(path, number, f"quality {cells[0]!r}", _FORM)
    return (cells[3], cells[4]), int(cells[0])
