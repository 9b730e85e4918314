"""Penn Treebank in the form of Mikolov et al. (2010), with its official splits: one sentence a line, one dialogue each.

Words are as given: ``<unk>`` replaces rare words and ``N`` numbers, so no tokeniser may run over them.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora.lines import decode_strictly
from pipeline_lib.corpora.sentences import sentence_batch
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.archives import read_member, read_text

_FILES = {"train": "ptb.train.txt", "validation": "ptb.valid.txt", "test": "ptb.test.txt"}
_LINE_END = re.compile(r"\r\n?|\n")
_TREE = re.compile(r"\(\s*\S*\s*\(")  # "(S (NP" and "( (S (NP": the text itself has no brackets
_TAGGED = re.compile(r"\S+/[A-Z$.,:]+")  # the/DT
_TRIED = 200  # sentences that are looked through for tags


def read(files: list[Path], source: Source, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Return the sentences of all three splits.

    Args:
        files: one zip that holds the three text files, or these themselves (may be ``.gz``).
        source: unused; the corpus has its own splits.
        skipped: counts empty lines.
    Raises:
        PipelineError: a split is missing, damaged or not UTF-8, or holds parse trees, tables or tagged words.
    """
    for split, name in _FILES.items():
        where, content = _content(files, name)
        lines = _lines(decode_strictly(content, where, skipped))
        _refuse_other_forms(lines, where)
        yield sentence_batch(split, 1, lines, [split] * len(lines), skipped)


def _lines(text: str) -> list[str]:
    """Cut a text at the line ends of any system, the last of which begins no line."""
    lines = _LINE_END.split(text)
    return lines if lines[-1] else lines[:-1]


def _refuse_other_forms(lines: Sequence[str], where: str) -> None:
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise _not_sentences(f"a null character in {line[:40]!r}, as in a binary file or in UTF-16", where, number)
        if "\t" in line:
            raise _not_sentences(f"a tab in {line[:40]!r}, as in a table of words", where, number)
        if _TREE.match(line.strip()):
            raise _not_sentences(f"a parse tree in place of a sentence: {line.strip()[:40]}", where, number)
    number, first = next(((number, line) for number, line in enumerate(lines, 1) if line.strip()), (0, ""))
    words = " ".join(islice(filter(str.strip, lines), _TRIED)).split()
    if 2 * sum(_TAGGED.fullmatch(word) is not None for word in words) > len(words):
        raise _not_sentences(f"words with tags: {first.strip()[:40]}", where, number)


def _not_sentences(problem: str, where: str, number: int) -> PipelineError:
    return PipelineError(
        problem,
        where=f"{where}, line {number}",
        expected="one sentence a line, its words separated by spaces: mr. <unk> paid $ N million",
        remedy="take the files of Mikolov's release (`simple-examples`, folder data)",
    )


def _content(files: list[Path], name: str) -> tuple[str, bytes]:
    """Return where the text of a split was found, and its bytes."""
    for path in files:
        if path.name in (name, f"{name}.gz"):
            return str(path), read_text(path)
    if len(files) == 1 and files[0].suffix == ".zip":
        return f"{files[0]} > {name}", read_member(files[0], name)
    raise PipelineError(
        f"no file is {name}",
        where=", ".join(map(str, files)),
        expected=f"one zip file, or {', '.join(_FILES.values())} (each may end in .gz)",
        remedy="name the files like this in the source's `bundles:`",
    )
