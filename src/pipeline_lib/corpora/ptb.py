"""Penn Treebank in the form of Mikolov et al. (2010), with its official splits: one sentence a line, one dialogue each.

Words are as given: ``<unk>`` replaces rare words and ``N`` numbers, so no tokeniser may run over them.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora.lines import decode_strictly
from pipeline_lib.corpora.sentences import sentence_batch
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.archives import read_member, read_text

_FILES = {"train": "ptb.train.txt", "validation": "ptb.valid.txt", "test": "ptb.test.txt"}


def read(files: list[Path], source: Source, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Return the sentences of all three splits.

    Args:
        files: one zip that holds the three text files, or these themselves (may be ``.gz``).
        source: unused; the corpus has its own splits.
        skipped: counts empty lines.
    Raises:
        PipelineError: a split is missing, damaged or not UTF-8.
    """
    for split, name in _FILES.items():
        where, content = _content(files, name)
        lines = decode_strictly(content, where, skipped).removesuffix("\n").split("\n")
        yield sentence_batch(split, 1, lines, [split] * len(lines), skipped)


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
