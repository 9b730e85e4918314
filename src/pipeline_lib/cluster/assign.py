"""Gives every pair of a corpus the group of its text; the groups are fitted on the training split alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib import schema
from pipeline_lib.cluster import agglomerative, kmeans, spectral
from pipeline_lib.cluster.grouping import Grouping, Points, batches
from pipeline_lib.cluster.mean_vectors import MeanVectors, WordVectors, read_vectors
from pipeline_lib.config import Clustering
from pipeline_lib.errors import PipelineError, nearest
from pipeline_lib.storage import iter_parquet, read_parquet

METHODS: dict[str, Callable[[Points, Clustering], Grouping]] = {
    "kmeans": kmeans.fit,
    "spectral": spectral.fit,
    "agglomerative": agglomerative.fit,
}


def cluster_pairs(
    pairs: Mapping[str, Path], keywords: Sequence[Path], vectors: Path, method: str, settings: Clustering
) -> pa.Table:
    """Group the pairs of every split by the mean word vectors of one side.

    Args:
        pairs: filtered pairs (`schema.PAIRS`) by split; ``train`` is fitted, the others follow its rule.
        keywords: files of `schema.KEYWORDS` that cover all pairs; used where ``settings.words`` is ``keywords``.
        vectors: word vectors (`schema.vectors`).
        method: a key of `METHODS`.
    Returns:
        `schema.CLUSTERS`, group 0 being the largest in training; its metadata ``without_words`` counts the pairs, over
        all splits, that have no word with a vector and were grouped as zeros.
    Raises:
        PipelineError: an unknown method, no keywords for a pair, or fewer distinct points or groups than asked for.
    """
    if method not in METHODS:
        raise PipelineError(
            f"no clustering method {method!r}",
            expected=nearest(method, list(METHODS)),
            remedy="correct `clusters:` of the system",
        )
    words = read_vectors(vectors)
    ids, points = _points(pairs["train"], keywords, words, settings)
    _check_distinct(pairs["train"], points, settings)
    grouping = METHODS[method](points, settings)
    number = _by_falling_size(pairs["train"], grouping, settings)
    tables, without_words = [_clusters("train", ids, number[grouping.train])], points.n_empty
    for split in pairs:
        if split != "train":
            ids, points = _points(pairs[split], keywords, words, settings)
            tables.append(_clusters(split, ids, number[grouping.extend(points)]))
            without_words += points.n_empty
    return pa.concat_tables(tables).replace_schema_metadata({"without_words": str(without_words)})


def _points(
    path: Path, keywords: Sequence[Path], vectors: WordVectors, settings: Clustering
) -> tuple[pa.ChunkedArray, MeanVectors]:
    """Ids of the pairs of one split, in the order of the file, and the means of their words."""
    ids = read_parquet(path, schema.PAIRS, ["pair_id"])["pair_id"]
    lists = _all_words(path, settings) if settings.words == "all" else _keywords(path, ids, keywords, settings)
    return ids, MeanVectors(lists, vectors)


def _all_words(path: Path, settings: Clustering) -> Iterator[pa.ListArray]:
    for batch in iter_parquet(path, schema.PAIRS, [settings.side]):
        yield pc.split_pattern(batch.column(0), " ")


def _keywords(
    path: Path, ids: pa.ChunkedArray, keywords: Sequence[Path], settings: Clustering
) -> Iterator[pa.ListArray]:
    column = f"{settings.side}_keywords"
    tables = [read_parquet(file, schema.KEYWORDS, ["pair_id", column]) for file in keywords]
    table = pa.concat_tables(tables or [schema.KEYWORDS.empty_table()])
    rows = pc.index_in(ids, value_set=table["pair_id"])
    if rows.null_count:
        raise PipelineError(
            f"{rows.null_count} of {len(ids)} pairs have no keywords, first pair {ids.filter(rows.is_null())[0]}",
            where=path,
            expected=f"every pair in {', '.join(map(str, keywords)) or 'a keyword file (none was given)'}",
            remedy="run the keywords stage for this corpus again, or set `clustering.words: all`",
        )
    yield from table[column].take(rows).chunks


def _check_distinct(path: Path, points: Points, settings: Clustering) -> None:
    seen: set[bytes] = set()
    for _, block in batches(points):
        seen.update(row.tobytes() for row in np.unique(block, axis=0)[: settings.groups])
        if len(seen) >= settings.groups:
            return
    raise PipelineError(
        f"{len(points)} training pairs have {len(seen)} distinct mean word vectors for {settings.groups} groups",
        where=path,
        expected=f"at least {settings.groups} distinct points",
        remedy="lower `clustering.groups`, or give more pairs or word vectors that cover their words",
    )


def _by_falling_size(path: Path, grouping: Grouping, settings: Clustering) -> NDArray[np.int16]:
    """(groups,) int16: fitted group -> its rank by training size; of equal groups the one met first leads."""
    groups, first, sizes = np.unique(grouping.train, return_index=True, return_counts=True)
    if len(groups) < settings.groups:
        raise PipelineError(
            f"only {len(groups)} of {settings.groups} groups have members",
            where=path,
            expected="no empty group; too many pairs may share one text",
            remedy="lower `clustering.groups`, or raise `clustering.minibatch_from` and `clustering.landmarks`",
        )
    number = np.empty(settings.groups, dtype=np.int16)
    number[groups[np.lexsort((first, -sizes))]] = np.arange(settings.groups)
    return number


def _clusters(split: str, ids: pa.ChunkedArray, groups: NDArray[np.int16]) -> pa.Table:
    splits = pa.array([split], pa.string()).take(pa.array(np.zeros(len(ids), np.int8)))
    return pa.table([splits, ids, pa.array(groups, pa.int16())], schema=schema.CLUSTERS)
