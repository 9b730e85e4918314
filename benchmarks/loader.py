"""Training batches out of a memory-mapped file of millions of examples, against a program that holds them as lists.

Examples have lengths drawn like subtitles' (log-normal, median 7, at most 25). `mapped` is what training does: blocks,
windows, buckets, padding; `lists` shuffles Python lists of token ids and pads them one by one. Each runs in a process
of its own, over 2,000 batches from the start of an epoch. The last column but one is how short a training step would
have to be for loading to take a twentieth of it. About two minutes.

    python benchmarks/loader.py [millions of examples, default 5]
"""

import random
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
from measure import head, python, row

from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.examples.encoded import read_encoded
from pipeline_lib.examples.order import BatchOrder
from pipeline_lib.files.atomic import atomic
from pipeline_lib.schemas.encoded import ENCODED

VOCABULARY, BATCH, STEPS = 87_840, 64, 2_000


def write(path: Path, examples: int) -> None:
    """A file of random examples, as the stage that encodes them would write it."""
    generator = np.random.default_rng(0)

    def texts() -> pa.Array:
        lengths = np.exp(generator.normal(np.log(7), 0.6, examples)).round().clip(1, 25).astype(np.int64)
        ids = generator.integers(4, VOCABULARY, lengths.sum(), dtype=np.int32)
        return pa.LargeListArray.from_arrays(np.concatenate([[0], lengths.cumsum()]), ids)

    columns = [pa.array(np.arange(examples)), texts(), texts()]
    with atomic(path) as temporary, pa.ipc.new_file(temporary, ENCODED) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=ENCODED))


def mapped(path: Path) -> tuple[float, float, float]:
    """Seconds until the first batch, seconds of each batch after it, and MiB held then."""
    before, started = own_memory(), time.perf_counter()
    dataset = ExampleDataset.open(path)
    order = BatchOrder(dataset, BATCH, bucket_batches=50, seed=0)
    dataset.batch(order.rows(0))
    ready = time.perf_counter()
    for step in range(1, STEPS):
        dataset.batch(order.rows(step))
    return ready - started, (time.perf_counter() - ready) / (STEPS - 1), own_memory() - before


def lists(path: Path) -> tuple[float, float, float]:
    """The same of the plain program."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    before, started = own_memory(), time.perf_counter()
    _, *sides, _ = read_encoded(path)
    examples = list(zip(*([ids[a:b].tolist() for a, b in pairwise(s)] for ids, s in sides), strict=True))
    random.Random(0).shuffle(examples)

    def batch(step: int) -> None:
        for side in zip(*examples[step * BATCH : (step + 1) * BATCH], strict=True):
            pad_sequence([torch.tensor(text) for text in side], batch_first=True)

    batch(0)
    ready = time.perf_counter()
    for step in range(1, STEPS):
        batch(step)
    return ready - started, (time.perf_counter() - ready) / (STEPS - 1), own_memory() - before


def own_memory() -> float:
    """MiB of this process that are not pages of a mapped file."""
    used = psutil.Process().memory_info()
    return (used.rss - used.shared) / (1 << 20)


def main(millions: float) -> None:
    head(f"{millions:g} M examples, batch {BATCH}", "first batch, s", "a batch, ms", "5 % of a step of, ms", "own MiB")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.arrow"
        write(path, round(millions * 1e6))
        for form in ("mapped", "lists"):
            ready, each, memory = map(float, python(__file__, form, path).output.split())
            row(form, f"{ready:.1f}", f"{1000 * each:.2f}", f"{20 * 1000 * each:.1f}", f"{memory:.0f}")


if __name__ == "__main__":
    if sys.argv[1:2] in (["mapped"], ["lists"]):
        form = mapped if sys.argv[1] == "mapped" else lists
        print(*form(Path(sys.argv[2])))  # in this process
    else:
        main(float(sys.argv[1]) if sys.argv[1:] else 5)
