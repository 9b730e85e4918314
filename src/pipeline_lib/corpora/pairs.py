"""Pairs of texts: a table with a context and a response in every row, and perhaps a cluster and a negative.

Pairs become dialogues: a cluster of pairs is one, so that no cluster is in two splits, and pair k of it is its turns 5k
and 5k + 1. A text that somebody has labelled as different in meaning follows two turns after the response, spoken by
`DIFFERENT`. The gaps keep windows of turns within a pair, and labelled texts out of every window.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora.splits import SPLIT_NAMES, hashed_split, splits_of_files
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.user_tables import Cells, read_table, texts_of
from pipeline_lib.schemas.dialogues import DIALOGUES

TURNS_APART = 5  # from a pair to the next of its cluster
DIFFERENT = "<different>"  # the speaker of a text that is labelled as different in meaning
TURNS_TO_DIFFERENT = 2  # from the last turn of a window to such a text

_OPTIONAL = ("cluster", "negative", "split")


def read(files: list[Path], source: Source, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Read a table of pairs.

    Splits are those of a split column, or else those of the files; where neither is there, every cluster is assigned by
    a seeded hash. Without a column of clusters, pairs with the same context are a cluster.

    Args:
        files: ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet``, the first three also as ``.gz``.
        source: ``columns`` may name context, response, cluster, negative and split; the first two are looked for under
            these names otherwise, the last three are left out.
        skipped: unused; any fault is an error.
    Raises:
        PipelineError: a column is missing, a text is missing or empty, a negative is its row's context or response, or
            a named cluster is in two splits; names the row or the cluster.
    """
    named = {"context": "context", "response": "response"} | {
        key: name for key, name in source.columns.items() if key in ("context", "response", *_OPTIONAL) and name
    }
    columns = {key: str(name) for key, name in named.items()}
    told: Sequence[str | None] | None = None if "split" in columns else splits_of_files(files, source)
    parts = [
        _pairs_of(path, columns, source, split) for path, split in zip(files, told or [None] * len(files), strict=True)
    ]
    table = pa.concat_tables(parts)
    if "cluster" not in columns:  # a context may be in two official splits, as in any dialogue
        names = [table["context"]] if table["split"].null_count else [table["split"], table["context"]]
        table = table.append_column("cluster", pc.binary_join_element_wise(*names, " "))
    yield arranged(table, source)


def _pairs_of(path: Path, columns: dict[str, str], source: Source, split: str | None) -> pa.Table:
    cells = Cells(source.separator, source.quotes, of_source=True)
    rows = read_table(path, columns, cells=cells, remedy="fill the file, or take it out of `bundles:`")
    found = {
        key: pc.utf8_trim_whitespace(texts_of(rows, name, path)) for key, name in columns.items() if key != "negative"
    }
    for key, values in found.items():
        if (row := pc.index(pc.equal(values, ""), True).as_py()) >= 0:
            raise PipelineError(
                f"{columns[key]} is empty",
                where=f"{path}, row {row + 1}",
                expected="a text in every row",
                remedy="fill it in, or take the row out",
            )
    if "negative" in columns:
        negative = pc.utf8_trim_whitespace(rows[columns["negative"]].cast(pa.string()))
        found["negative"] = pc.if_else(pc.equal(negative, ""), None, negative)
        for side in ("context", "response"):
            if (row := pc.index(pc.equal(negative, found[side]), True).as_py()) >= 0:
                raise PipelineError(
                    f"{columns['negative']} is the same text as {columns[side]}",
                    where=f"{path}, row {row + 1}",
                    expected="a text that means something else, or nothing",
                    remedy="correct the row, or leave its negative empty; one is then found among the other texts",
                )
    else:
        found["negative"] = pa.nulls(len(rows), pa.string())
    if "split" in columns:
        found["split"] = _known_splits(found["split"], columns["split"], path)
    else:
        found["split"] = pa.array([split] * len(rows), pa.string())
    return pa.table(found)


def _known_splits(values: pa.ChunkedArray, name: str, path: Path) -> pa.Array:
    known = pc.index_in(pc.utf8_lower(values), pa.array(SPLIT_NAMES))
    if (row := pc.index(known.is_null(), True).as_py()) >= 0:
        raise PipelineError(
            f"{name} is {values[row].as_py()!r}",
            where=f"{path}, row {row + 1}",
            expected=", ".join(SPLIT_NAMES),
            remedy="rename the splits, or leave the column out of `columns:` to have clusters assigned by a hash",
        )
    return pa.array(SPLIT_NAMES.values()).take(known.combine_chunks())


def arranged(pairs: pa.Table, source: Source) -> pa.RecordBatch:
    """Make dialogues of pairs.

    Args:
        pairs: (context, response, cluster, negative, split), all string; a null negative: there is none; a null split:
            by a hash of the cluster, which then decides it for all pairs of the cluster.
        source: ``splits`` and ``split_seed`` are used.
    Returns:
        `DIALOGUES`, clusters in the order of their first pair; the id of one is its number.
    Raises:
        PipelineError: a cluster is in two splits.
    """
    clusters = pairs["cluster"].combine_chunks().dictionary_encode()
    number = clusters.indices.to_numpy()
    names = clusters.dictionary.to_pylist()
    split = _splits(pairs["split"].combine_chunks(), number, names, source)
    order = np.argsort(number, kind="stable")
    number = number[order]
    place = np.arange(len(number)) - np.searchsorted(number, number)
    negative = pairs["negative"].combine_chunks().take(pa.array(order))
    rows = len(order)
    has_negative = negative.is_valid().to_numpy(zero_copy_only=False)
    # three rows for each pair, the third left out where there is no negative
    texts = pa.chunked_array(
        [
            pairs["context"].combine_chunks().take(pa.array(order)),
            pairs["response"].combine_chunks().take(pa.array(order)),
            negative,
        ]
    ).combine_chunks()
    interleaved = (np.arange(rows)[:, None] + rows * np.arange(3)).ravel()
    kept = np.stack([np.ones(rows, bool), np.ones(rows, bool), has_negative], 1).ravel()
    turns = TURNS_APART * place[:, None] + np.array([0, 1, 1 + TURNS_TO_DIFFERENT])
    speaker = [DIFFERENT if side == 2 else None for side in (np.arange(3 * rows)[kept] % 3).tolist()]
    ids = pa.array([f"{one:07d}" for one in range(len(names))]).take(pa.array(np.repeat(number, 3)[kept]))
    columns = {
        "dialogue_id": ids,
        "turn": pa.array(turns.ravel()[kept], pa.int32()),
        "speaker": pa.array(speaker, pa.string()),
        "text": texts.take(pa.array(interleaved[kept])),
        "split": pa.array(split).take(pa.array(np.repeat(number, 3)[kept])),
        "label": pa.nulls(int(kept.sum()), pa.int32()),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in DIALOGUES.names], schema=DIALOGUES)


def _splits(given: pa.Array, number: np.ndarray, names: Sequence[str], source: Source) -> list[str]:
    """Return the split of each cluster."""
    if given.null_count == len(given):
        return [hashed_split(name, source.splits, source.split_seed) for name in names]
    found: list[str] = [""] * len(names)
    for cluster, split in zip(number.tolist(), given.to_pylist(), strict=True):
        if found[cluster] not in ("", split):
            raise PipelineError(
                f"cluster {names[cluster]!r} is in {found[cluster]} and in {split}",
                where=f"a source with reader {source.reader!r}",
                expected="every cluster in one split: what its texts mean would be learnt from the other",
                remedy="correct the column of splits, or leave it out of `columns:`; a hash then assigns clusters",
            )
        found[cluster] = split
    return found
