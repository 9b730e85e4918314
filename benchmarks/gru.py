"""The scoring of marked copies by `models/layers/gru.py`, which projects the words once, against torch.nn.GRU.

    python benchmarks/gru.py

At the paper's sizes and at those of the embedded run, over 8 copies of each text without gradient, as SepaCVAE chooses
its groups: the encoder over texts of like lengths (as a bucket has them), and the decoder that reads the same texts
through two layers. On one thread, which a training job of the workflow has, and on two. The two take turns, and the
best of their times counts, since whatever else runs on the machine only adds; half a minute.
"""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from measure import head, row
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from pipeline_lib.compute.device import keep_freed_memory
from pipeline_lib.models.layers.gru import GRU

REPETITIONS, COPIES = 15, 8


class Sizes(NamedTuple):
    name: str
    embedding: int
    hidden: int
    length: int  # of the longest text; the others are up to two tokens shorter
    batch: int = 64


class Case(NamedTuple):
    name: str
    theirs: Callable[[], Tensor]
    ours: Callable[[], Tensor]


SIZES = [Sizes("paper", 300, 300, 12), Sizes("embedded", 50, 64, 9)]


def main() -> None:
    keep_freed_memory()  # as the training script does
    head("8 copies of 64 texts", "threads", "torch ms", "ours ms", "ratio", "largest relative difference")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for sizes in SIZES:
            with torch.no_grad():
                for case in cases(sizes):
                    report(case, threads)


def cases(sizes: Sizes) -> Iterator[Case]:
    torch.manual_seed(0)
    inputs = torch.randn(sizes.batch, sizes.length, sizes.embedding)
    lengths = sizes.length - torch.arange(sizes.batch) % 3
    marks = torch.randn(COPIES, sizes.embedding)
    encoder = GRU(sizes.embedding, sizes.hidden, bidirectional=True)
    decoder = GRU(sizes.embedding, sizes.hidden, layers=2)
    states = torch.randn(2, sizes.batch * COPIES, sizes.hidden)

    def encoded(texts: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(texts, lengths, batch_first=True, enforce_sorted=False)
        return torch.cat(list(nn.GRU.forward(encoder, packed)[1]), -1)

    def marked() -> Tensor:
        return (inputs.unsqueeze(1) + marks.unsqueeze(1)).flatten(0, 1)

    yield Case(
        f"encoder, {sizes.name} sizes",
        lambda: encoded(marked(), lengths.repeat_interleave(COPIES)),
        lambda: encoder.last_states_of_copies(inputs, lengths, marks),
    )
    yield Case(
        f"decoder, {sizes.name} sizes",
        lambda: nn.GRU.forward(decoder, inputs.repeat_interleave(COPIES, 0), states)[0],
        lambda: decoder.outputs(inputs, states, COPIES),
    )


def report(case: Case, threads: int) -> None:
    best = [float("inf")] * 2
    for _ in range(REPETITIONS):
        results = []
        for i, forward in enumerate((case.theirs, case.ours)):
            started = time.perf_counter()
            results.append(forward())
            best[i] = min(best[i], time.perf_counter() - started)
    difference = float((results[0] - results[1]).abs().max() / results[0].abs().max())
    milliseconds = [f"{1e3 * seconds:.1f}" for seconds in best]
    row(case.name, str(threads), *milliseconds, f"{best[0] / best[1]:.2f}", f"{difference:.0e}")


if __name__ == "__main__":
    main()
