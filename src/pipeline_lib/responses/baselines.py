"""Systems that only give responses: the two rows that frame every table. They need no model and no torch."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.responses import MEASURED, RESPONSES


def baseline(kind: str, train: Path, examples: Path, seed: int) -> pa.Table:
    """Return responses of a reference row: ``random`` ones from training (floor), ``human`` references (ceiling)."""
    texts = read_parquet(examples, EXAMPLES)
    if kind == "random":
        pool = read_parquet(train, EXAMPLES, ["response"])["response"]
        responses = pool.take(pa.array(np.random.default_rng(seed).integers(len(pool), size=len(texts))))
    else:
        responses = texts["response"]
    return without_likelihood(texts, responses)


def without_likelihood(
    texts: pa.Table, responses: pa.ChunkedArray, sample: NDArray[np.int16] | None = None
) -> pa.Table:
    """Make RESPONSES of a system that only gives responses (n,) to ``texts`` (EXAMPLES, n rows).

    Args:
        sample: (n,), where ``texts`` has an example once for each of its responses.
    """
    n = len(texts)
    lengths = pc.add(pc.count_substring(texts["response"], " "), 2)
    columns = {name: texts[name] for name in ("example_id", "context", "label")}
    columns |= {"reference": texts["response"], "response": responses, "selection": pa.array(["none"] * n)}
    columns |= {"sample": pa.array(np.zeros(n, np.int16) if sample is None else sample)}
    columns |= {"tokens": lengths.cast(pa.int32()), "group": pa.nulls(n, pa.int16())}
    columns |= {name: pa.nulls(n, pa.float32()) for name in MEASURED}
    return pa.table(columns).select(RESPONSES.names).cast(RESPONSES)
