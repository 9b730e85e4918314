"""Time and peak memory of scoring one system and of the paired tests between nine, on 50,000 test items.

    python benchmarks/evaluation.py [items]

Both run as the workflow runs them, as command lines in processes of their own, with the default settings (1,000
resamples, 1,000 trials). The responses are made up, of lengths and word frequencies like those of dialogue.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "2")

import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from measure import REPOSITORY, head, python, row

from pipeline_lib.config.metrics import Metrics
from pipeline_lib.config.significance import Significance
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.vectors.glove import write_vectors

ITEMS, SYSTEMS, WORDS, DIMENSION = 50_000, 9, 20_000, 300
METRICS = [  # columns of Tables 2 and 3 of SepaCVAE
    *("ppl", "ppl-bound", "ppl-importance", "kl", "distinct-1", "distinct-2", "length"),
    *("BLEU-1", "BLEU-2", "BLEU-3", "corpus-BLEU", "Average", "Greedy", "Extrema", "coherence"),
]
SCRIPTS = REPOSITORY / "workflow/scripts"


def main(items: int) -> None:
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        words = pa.array([f"w{number}" for number in range(WORDS)])
        vectors = folder / "vectors.parquet"
        write_vectors(vectors, words, generator.normal(size=(WORDS, DIMENSION)).astype(np.float32), "invented")
        shared = {side: texts(items, words, generator) for side in ("context", "reference")}
        files = []
        head("stage", "s", "peak MiB")
        for number in range(SYSTEMS):
            write_parquet(folder / "responses.parquet", responses(items, shared, words, generator), RESPONSES)
            files.append(folder / f"items{number}.parquet")
            score = python(
                *(SCRIPTS / "score_responses.py", "--responses", folder / "responses.parquet", "--vectors", vectors),
                *(
                    "--settings",
                    Metrics().model_dump_json(),
                    "--corpus",
                    "generated",
                    "--split",
                    "test",
                ),
                *("--metrics", *METRICS, "--tokeniser", "english", "--importance-samples", "8"),
                *("--system", f"system{number}", "--seed", "1"),
                *("--scores", folder / "scores.parquet", "--per-item", files[-1]),
            )
            if number == 0:
                row(f"score_responses, {items:,} items", f"{score.seconds:.1f}", f"{score.peak:.0f}")
        compare = python(
            *(SCRIPTS / "compare_systems.py", "--per-item", *files),
            *("--competing", *(f"system{number}" for number in range(SYSTEMS))),
            *("--metrics", *METRICS),
            *("--settings", Significance().model_dump_json(), "--out", folder / "significance.parquet"),
        )
        row(f"compare_systems, {items:,} items, {SYSTEMS} systems", f"{compare.seconds:.1f}", f"{compare.peak:.0f}")


def texts(n: int, words: pa.Array, generator: np.random.Generator) -> pa.Array:
    """1 to 25 words, Zipf."""
    lengths = np.clip(generator.geometric(0.09, n), 1, 25)
    drawn = pa.array(np.minimum(generator.zipf(1.3, lengths.sum()), WORDS) - 1)
    starts = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    return pc.binary_join(pa.ListArray.from_arrays(starts, words.take(drawn)), " ")


def responses(n: int, shared: dict[str, pa.Array], words: pa.Array, generator: np.random.Generator) -> pa.Table:
    columns = {
        **shared,
        "example_id": pa.array(np.arange(n)),
        "sample": pa.array(np.zeros(n), pa.int16()),
        "selection": pa.repeat("none", n),
        "response": texts(n, words, generator),
        "tokens": pa.array(generator.integers(2, 20, n), pa.int32()),
        **{
            name: pa.array(generator.gamma(2, 10, n), pa.float32()) for name in ("nll", "kl", "bound", "nll_importance")
        },
    }
    return pa.table({field.name: columns.get(field.name, pa.nulls(n, field.type)) for field in RESPONSES})


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else ITEMS)
