"""Quora question pairs: two questions and whether they ask the same, in either of the forms that circulate.

Questions that somebody has labelled as duplicates of one another, directly or through others, are a cluster. Every
question that has a duplicate is asked once, with one of its duplicates for a response; of labelled non-duplicates that
are in the same split the first is its negative.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora.broken import BROKEN
from pipeline_lib.corpora.labelled import wrong_line
from pipeline_lib.corpora.lines import subtitle_lines
from pipeline_lib.corpora.pairs import arranged
from pipeline_lib.corpora.splits import hashed_split

_HEADER = ["id", "qid1", "qid2", "question1", "question2", "is_duplicate"]
_FORM = f"label, question and question, or {', '.join(_HEADER)}, parted by tabs"


def read(files: list[Path], source: Source, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Read all pairs in one batch; every cluster is assigned to a split by a seeded hash.

    Args:
        files: lines of label, question, question and anything; or the release's table with a header; also ``.gz``.
        source: ``splits`` and ``split_seed`` are used.
        skipped: counts lines that lack a question, of which the release has a few, and bytes that are not UTF-8.
    Raises:
        PipelineError: a label that is neither 0 nor 1; names the line.
    """
    duplicates: list[tuple[str, str]] = []
    different: dict[str, list[str]] = {}
    for path in files:
        for left, right, label in _questions(path, skipped):
            if label:
                duplicates.append((left, right))
            else:
                different.setdefault(left, []).append(right)
                different.setdefault(right, []).append(left)
    yield arranged(_pairs(duplicates, different, source), source)


def _questions(path: Path, skipped: Counter[str]) -> Iterator[tuple[str, str, bool]]:
    number, places = 0, (1, 2, 0)
    for lines in subtitle_lines(path, skipped):
        for line in lines.to_pylist():
            number += 1
            cells = [cell.strip().strip('"') for cell in line.split("\t")]
            if number == 1 and cells == _HEADER:
                places = (3, 4, 5)
                continue
            if len(cells) <= max(places) or not all(cells[place] for place in places):
                skipped[BROKEN] += 1
                continue
            left, right, label = (cells[place] for place in places)
            if label not in ("0", "1"):
                raise wrong_line(path, number, f"label {label!r}", _FORM)
            if left != right:
                yield left, right, label == "1"


def _pairs(duplicates: list[tuple[str, str]], different: dict[str, list[str]], source: Source) -> pa.Table:
    """Return a row for each question that has a duplicate, in the order of the files."""
    beside: dict[str, list[str]] = {}
    for left, right in duplicates:
        beside.setdefault(left, []).append(right)
        beside.setdefault(right, []).append(left)
    cluster = _components(beside)
    split = {name: hashed_split(name, source.splits, source.split_seed) for name in set(cluster.values())}

    def split_of(question: str) -> str:
        name = cluster.get(question, question)
        return split.get(name) or hashed_split(name, source.splits, source.split_seed)

    rows = []
    for question, others in beside.items():
        response = min(others, key=lambda other: _hashed(question, other))
        own = cluster[question]
        allowed = [
            one for one in different.get(question, []) if cluster.get(one) != own and split_of(one) == split[own]
        ]
        rows.append((question, response, own, allowed[0] if allowed else None, None))
    columns = zip(*rows, strict=True) if rows else [()] * 5
    names = ("context", "response", "cluster", "negative", "split")
    return pa.table({name: pa.array(values, pa.string()) for name, values in zip(names, columns, strict=True)})


def _components(beside: dict[str, list[str]]) -> dict[str, str]:
    """Name for each question its cluster: the least of all questions that duplicates lead to."""
    found: dict[str, str] = {}
    for first in beside:
        if first in found:
            continue
        members, under_way = {first}, [first]
        while under_way:
            more = [other for other in beside[under_way.pop()] if other not in members]
            members.update(more)
            under_way += more
        name = min(members)
        found |= dict.fromkeys(members, name)
    return found


def _hashed(question: str, other: str) -> bytes:
    return hashlib.blake2b(f"{question}\t{other}".encode(), digest_size=8).digest()
