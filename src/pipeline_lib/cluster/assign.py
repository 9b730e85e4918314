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
from pipeline_lib.cluster.mean_vectors import MeanVectors, Rearranged, WordVectors, read_vectors
from pipeline_lib.config.clustering import Clustering
from pipeline_lib.errors import PipelineError, nearest
from pipeline_lib.storage import iter_parquet, parquet_writer, read_parquet

METHODS: dict[str, Callable[[Points, Clustering], Grouping]] = {
    "kmeans": kmeans.fit,
    "spectral": spectral.fit,
    "agglomerative": agglomerative.fit,
}


def cluster_pairs(
    pairs: Mapping[str, Path], keywords: Sequence[Path], vectors: Path, method: str, settings: Clustering, out: Path
) -> None:
    """Group the pairs of every split by the mean word vectors of one side.

    Args:
        pairs: filtered pairs (`schema.PAIRS`) by split; ``train`` is fitted, the others follow its rule.
        keywords: files of `schema.KEYWORDS` that cover all pairs; used where ``settings.words`` is ``keywords``.
        vectors: word vectors (`schema.vectors`).
        method: a key of `METHODS`.
        out: of `schema.CLUSTERS`, group 0 being the largest in training; its metadata ``without_words`` counts the
            pairs, over all splits, that have no word with a vector and were grouped as zeros.
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
    points: Mapping[str, MeanVectors | Rearranged]
    if settings.words == "all":
        points = {split: MeanVectors(_all_words(path, settings), words) for split, path in pairs.items()}
    else:
        points = _keyword_points(pairs, keywords, words, settings)
    _check_distinct(pairs["train"], points["train"], settings)
    grouping = METHODS[method](points["train"], settings)
    number = _by_falling_size(pairs["train"], grouping, settings)
    metadata = {"without_words": str(sum(texts.n_empty for texts in points.values()))}
    with parquet_writer(out, schema.CLUSTERS, metadata) as writer:
        for split, path in pairs.items():
            groups = grouping.train if split == "train" else grouping.extend(points[split])
            for batch in _clusters(split, path, number[groups]):
                writer.write_batch(batch)


def _all_words(path: Path, settings: Clustering) -> Iterator[pa.ListArray]:
    for batch in iter_parquet(path, schema.PAIRS, [settings.side]):
        yield pc.split_pattern(batch.column(0), " ")


def _keyword_points(
    pairs: Mapping[str, Path], keywords: Sequence[Path], vectors: WordVectors, settings: Clustering
) -> dict[str, Rearranged]:
    column = f"{settings.side}_keywords"
    means = MeanVectors(
        (batch.column(0) for file in keywords for batch in iter_parquet(file, schema.KEYWORDS, [column])), vectors
    )
    given = pa.chunked_array([_ids(file, schema.KEYWORDS) for file in keywords], pa.int64())
    return {split: Rearranged(means, _rows_of(path, given, keywords)) for split, path in pairs.items()}


def _rows_of(path: Path, given: pa.ChunkedArray, keywords: Sequence[Path]) -> NDArray[np.int32]:
    """Where the pairs of one split stand among those that are ``given`` keywords."""
    ids = _ids(path, schema.PAIRS)
    rows = pc.index_in(ids, value_set=given)
    if rows.null_count:
        raise PipelineError(
            f"{rows.null_count} of {len(ids)} pairs have no keywords, first pair {ids.filter(rows.is_null())[0]}",
            where=path,
            expected=f"every pair in {', '.join(map(str, keywords)) or 'a keyword file (none was given)'}",
            remedy="run the keywords stage for this corpus again, or set `clustering.words: all`",
        )
    return rows.to_numpy()


def _ids(path: Path, table: pa.Schema) -> pa.Array:
    return read_parquet(path, table, ["pair_id"])["pair_id"].combine_chunks()


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


def _clusters(split: str, path: Path, groups: NDArray[np.int16]) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in iter_parquet(path, schema.PAIRS, ["pair_id"]):
        own = pa.array(groups[start : start + len(batch)])
        columns = [pa.repeat(pa.scalar(split), len(batch)), batch.column(0), own]
        yield pa.RecordBatch.from_arrays(columns, schema=schema.CLUSTERS)
        start += len(batch)
