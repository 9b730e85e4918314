"""TREC questions (Li and Roth 2002), labelled by the kind of their answers: the six coarse classes."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora.labelled import file_of, labelled_batch, wrong_line
from pipeline_lib.files.archives import read_text
from pipeline_lib.schemas.dialogues import HELD_OUT

SPLITS = ("train", HELD_OUT[-1])  # there is no validation split
CLASSES = ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")  # in the order of the labels

_FILES = {"train": "train_5500.label", SPLITS[1]: "TREC_10.label"}
_LINE_END = re.compile(rb"\r\n?")  # of other systems
_LINE = re.compile(r"([A-Z]+):\w+ (.*\S)")
_FORM = f"a class, a question: {', '.join(CLASSES)}, as in `NUM:dist How far is it ?`, in ISO-8859-1"


def read(files: list[Path], source: Source, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Return the questions of both splits; the label is the place of the coarse class in `CLASSES`.

    The release is in ISO-8859-1, in which every byte has a meaning. A file with characters beyond ASCII that is valid
    UTF-8 was converted, and is read as UTF-8.

    Args:
        files: ``train_5500.label`` and ``TREC_10.label``, plain or ``.gz``.
        source: unused; the corpus has its own splits.
        skipped: counts empty lines, and the lines of files in UTF-8.
    Raises:
        PipelineError: a file is missing; a line is not a class and a question, as in UTF-16; names the line.
    """
    for split, name in _FILES.items():
        path = file_of(files, name)
        lines = _decode(read_text(path), skipped).removesuffix("\n").split("\n")
        questions = [_question(line, path, number) for number, line in enumerate(lines, start=1) if line.strip()]
        numbers = [number for number, line in enumerate(lines, start=1) if line.strip()]
        skipped["empty lines"] += len(lines) - len(numbers)
        yield labelled_batch(split, numbers, [[text] for text, _ in questions], [label for _, label in questions])


def _decode(content: bytes, skipped: Counter[str]) -> str:
    content = _LINE_END.sub(b"\n", content)
    if not content.isascii():
        try:
            text = content.decode("utf-8").removeprefix("\ufeff")
            skipped["lines of files in UTF-8, not in ISO-8859-1"] += text.count("\n")
            return text
        except UnicodeDecodeError:
            pass  # as the release is
    return content.decode("iso-8859-1")


def _question(line: str, path: Path, number: int) -> tuple[str, int]:
    found = _LINE.fullmatch(line.strip())
    if found is None or found[1] not in CLASSES:
        raise wrong_line(path, number, f"{line[:60]!r} has none of the six classes, or no question", _FORM)
    return found[2], CLASSES.index(found[1])
