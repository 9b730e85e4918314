"""The vocabulary of a corpus: ids for the tokens of the filtered training split, with their vectors."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.files.formats import iter_parquet
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.vocabulary import vocabulary_schema
from pipeline_lib.text.ids import SPECIALS, TURN, UNKNOWN
from pipeline_lib.text.ragged import count_tokens, flatten
from pipeline_lib.vectors.space import VectorSpace


def build(train: Path, vectors: Path | None = None, known_tokens: pa.Array | None = None) -> pa.Table:
    """Number the tokens of the filtered training split and join their vectors, if there are any.

    Args:
        train: examples (`EXAMPLES`) that filtering kept.
        vectors: word vectors (`vectors_schema`); None: systems learn their own embeddings.
        known_tokens: (K) string, where filtering kept others too, which count as `<unk>`; None: all tokens are known.
    Returns:
        `vocabulary_schema`: the specials, `TURN` where contexts have several turns, then tokens by falling count in
        ``train``, equal counts alphabetically. ``known`` is false for these reserved tokens and, if there are vectors,
        for tokens without one, whose vector is zero.
    """
    counts = _count(train)
    unknown = counts.pop(UNKNOWN, 0)  # the filter may have put it in
    for special in SPECIALS:
        counts.pop(special, None)
    if known_tokens is not None:
        rare = counts.keys() - {TURN, *known_tokens.to_pylist()}
        unknown += sum(counts.pop(token) for token in rare)
    turns = [TURN] if TURN in counts else []
    words = sorted(counts.keys() - {TURN}, key=lambda token: (-counts[token], token))
    tokens = pa.array([*SPECIALS, *turns, *words], pa.string())
    known = np.arange(len(tokens)) >= len(tokens) - len(words)
    columns = {
        "token_id": pa.array(np.arange(len(tokens)), pa.int32()),
        "token": tokens,
        "count": pa.array([0, unknown, 0, 0, *(counts[token] for token in [*turns, *words])], pa.int64()),
    }
    if vectors is None:
        return pa.table(columns | {"known": pa.array(known)}, schema=vocabulary_schema(None))
    space = VectorSpace.read(vectors)
    row = pc.index_in(tokens, space.tokens)
    known &= pc.is_valid(row).to_numpy(zero_copy_only=False)
    matrix = np.zeros((len(tokens), space.matrix.shape[1]), np.float32)
    matrix[known] = space.matrix[row.fill_null(0).to_numpy(zero_copy_only=False)[known]]
    columns |= {
        "known": pa.array(known),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1]),
    }
    return pa.table(columns, schema=vocabulary_schema(matrix.shape[1]))


def _count(train: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    for batch in iter_parquet(train, EXAMPLES, columns=["context", "response"]):
        for side in batch.columns:
            counts.update(count_tokens(flatten(side)[0]))
    return counts
