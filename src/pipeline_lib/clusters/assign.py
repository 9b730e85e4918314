"""The groups of the examples of a corpus, by their texts; the groups are fitted on the training split alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib.clusters import agglomerative, kmeans, spectral
from pipeline_lib.clusters.grouping import Grouping, Points, batches
from pipeline_lib.config.clustering import Clustering
from pipeline_lib.errors import PipelineError, did_you_mean
from pipeline_lib.files.formats import iter_parquet, parquet_writer, read_parquet
from pipeline_lib.schemas.clusters import CLUSTERS
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.keywords import KEYWORDS
from pipeline_lib.vectors.means import MeanVectors, Rearranged
from pipeline_lib.vectors.space import VectorSpace

METHODS: dict[str, Callable[[Points, Clustering], Grouping]] = {
    "kmeans": kmeans.fit,
    "spectral": spectral.fit,
    "agglomerative": agglomerative.fit,
}


def cluster_examples(
    examples: Mapping[str, Path], keywords: Sequence[Path], vectors: Path, method: str, settings: Clustering, out: Path
) -> None:
    """Group the examples of every split by the mean word vectors of one side.

    Args:
        examples: filtered examples (`EXAMPLES`) by split; ``train`` is fitted, the others follow its rule.
        keywords: files of `KEYWORDS` that cover all examples; used where ``settings.words`` is ``keywords``.
        vectors: word vectors (`vectors_schema`).
        method: a key of `METHODS`.
        out: a file of `CLUSTERS`, group 0 being the largest in training; its metadata ``without_words`` counts the
            examples, over all splits, that have no word with a vector and were grouped as zeros.
    Raises:
        PipelineError: an unknown method, no keywords for an example, or fewer distinct points or groups than asked for.
    """
    if method not in METHODS:
        raise PipelineError(
            f"no clustering method {method!r}",
            expected=did_you_mean(method, list(METHODS)),
            remedy="correct `clusters:` of the system",
        )
    words = VectorSpace.read(vectors)
    points: Mapping[str, MeanVectors | Rearranged]
    if settings.words == "all":
        points = {split: MeanVectors(_all_words(path, settings), words) for split, path in examples.items()}
    else:
        points = _keyword_points(examples, keywords, words, settings)
    _check_distinct(examples["train"], points["train"], settings)
    grouping = METHODS[method](points["train"], settings)
    number = _by_falling_size(examples["train"], grouping, settings)
    metadata = {"without_words": str(sum(texts.n_empty for texts in points.values()))}
    with parquet_writer(out, CLUSTERS, metadata) as writer:
        for split, path in examples.items():
            groups = grouping.train if split == "train" else grouping.extend(points[split])
            for batch in _clusters(split, path, number[groups]):
                writer.write_batch(batch)


def _all_words(path: Path, settings: Clustering) -> Iterator[pa.ListArray]:
    for batch in iter_parquet(path, EXAMPLES, [settings.side]):
        yield pc.split_pattern(batch.column(0), " ")


def _keyword_points(
    examples: Mapping[str, Path], keywords: Sequence[Path], vectors: VectorSpace, settings: Clustering
) -> dict[str, Rearranged]:
    column = f"{settings.side}_keywords"
    means = MeanVectors(
        (batch.column(0) for file in keywords for batch in iter_parquet(file, KEYWORDS, [column])), vectors
    )
    given = pa.chunked_array([_ids(file, KEYWORDS) for file in keywords], pa.int64())
    return {split: Rearranged(means, _rows_of(path, given, keywords)) for split, path in examples.items()}


def _rows_of(path: Path, given: pa.ChunkedArray, keywords: Sequence[Path]) -> NDArray[np.int32]:
    """Return the rows that the examples of one split have among the ``given`` keywords."""
    ids = _ids(path, EXAMPLES)
    rows = pc.index_in(ids, value_set=given)
    if rows.null_count:
        raise PipelineError(
            f"{rows.null_count} of {len(ids)} examples have no keywords, first example {ids.filter(rows.is_null())[0]}",
            where=path,
            expected=f"every example in {', '.join(map(str, keywords)) or 'a keyword file (none was given)'}",
            remedy="run the keywords stage for this corpus again, or set `clustering.words: all`",
        )
    return rows.to_numpy()


def _ids(path: Path, table: pa.Schema) -> pa.Array:
    return read_parquet(path, table, ["example_id"])["example_id"].combine_chunks()


def _check_distinct(path: Path, points: Points, settings: Clustering) -> None:
    seen: set[bytes] = set()
    for _, block in batches(points):
        seen.update(row.tobytes() for row in np.unique(block, axis=0)[: settings.groups])
        if len(seen) >= settings.groups:
            return
    raise PipelineError(
        f"{len(points)} training examples have {len(seen)} distinct mean word vectors for {settings.groups} groups",
        where=path,
        expected=f"at least {settings.groups} distinct points",
        remedy="lower `clustering.groups`, or give more examples or word vectors that cover their words",
    )


def _by_falling_size(path: Path, grouping: Grouping, settings: Clustering) -> NDArray[np.int16]:
    """Rank each fitted group by training size, (groups,) int16; of equal groups the one met first leads."""
    groups, first, sizes = np.unique(grouping.train, return_index=True, return_counts=True)
    if len(groups) < settings.groups:
        raise PipelineError(
            f"only {len(groups)} of {settings.groups} groups have members",
            where=path,
            expected="no empty group; too many examples may share one text",
            remedy="lower `clustering.groups`, or raise `clustering.minibatch_from` and `clustering.landmarks`",
        )
    number = np.empty(settings.groups, dtype=np.int16)
    number[groups[np.lexsort((first, -sizes))]] = np.arange(settings.groups)
    return number


def _clusters(split: str, path: Path, groups: NDArray[np.int16]) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in iter_parquet(path, EXAMPLES, ["example_id"]):
        own = pa.array(groups[start : start + len(batch)])
        columns = [pa.repeat(pa.scalar(split), len(batch)), batch.column(0), own]
        yield pa.RecordBatch.from_arrays(columns, schema=CLUSTERS)
        start += len(batch)
