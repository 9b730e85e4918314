"""Systems that give responses without a model: references, and random, constant or copied texts. They need no torch."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.responses import MEASURED, NO_GROUPS, RESPONSES
from pipeline_lib.text.ragged import lengths_with_end
from pipeline_lib.text.turns import last_turn


def baseline(kind: str, train: Path, examples: Path, seed: int, samples: int = 1) -> pa.Table:
    """Return responses of a reference row.

    Args:
        kind: ``random``: training responses drawn at random; ``constant``: the most frequent one to every
            context, of equals the first in training; ``copy``: the last turn of the context; ``human``: the references.
        samples: responses of ``random`` to each context; the others have one.
    """
    texts = read_parquet(examples, EXAMPLES)
    if kind == "human":
        return without_likelihood(texts, texts["response"])
    if kind == "copy":
        last = [last_turn(context) for context in texts["context"].to_pylist()]
        return without_likelihood(texts, pa.chunked_array([pa.array(last, pa.string())]))
    pool = read_parquet(train, EXAMPLES, ["response"])["response"]
    if kind == "constant":
        counts = pc.value_counts(pool.combine_chunks())
        most = counts.field("values")[int(np.argmax(counts.field("counts").to_numpy()))]
        return without_likelihood(texts, pa.chunked_array([pa.repeat(most, len(texts))]))
    drawn = np.random.default_rng(seed).integers(len(pool), size=samples * len(texts))
    return without_likelihood(*repeated(texts, pool.take(pa.array(drawn)), samples))


def repeated(
    texts: pa.Table, responses: pa.ChunkedArray, samples: int
) -> tuple[pa.Table, pa.ChunkedArray, NDArray[np.int16]]:
    """Return `without_likelihood`'s arguments for so many responses to each example, one sample after the other."""
    return pa.concat_tables([texts] * samples), responses, np.repeat(np.arange(samples, dtype=np.int16), len(texts))


def without_likelihood(
    texts: pa.Table, responses: pa.ChunkedArray, sample: NDArray[np.int16] | None = None
) -> pa.Table:
    """Make RESPONSES of a system that only gives responses (n,) to ``texts`` (EXAMPLES, n rows).

    Args:
        sample: (n,), where ``texts`` has an example once for each of its responses.
    """
    n = len(texts)
    columns = {name: texts[name] for name in ("example_id", "context", "label")}
    columns |= {"reference": texts["response"], "response": responses, "selection": pa.array([NO_GROUPS] * n)}
    columns |= {"sample": pa.array(np.zeros(n, np.int16) if sample is None else sample)}
    columns |= {"tokens": lengths_with_end(texts["response"]), "group": pa.nulls(n, pa.int16())}
    columns |= {name: pa.nulls(n, pa.float32()) for name in MEASURED}
    return pa.table(columns).select(RESPONSES.names).cast(RESPONSES)
