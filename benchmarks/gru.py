"""The GRU of `models/gru.py` against torch.nn.GRU: one batch forward and backward, and the scoring of marked copies.

    python benchmarks/gru.py

At the paper's sizes and at those of the embedded run: the encoder over texts of like lengths (as a bucket has them),
the decoder that reads the same texts through two layers, and both over 8 copies of each text without gradient, as
SepaCVAE chooses its groups. On one thread, which a training job of the workflow has, and on two. The two take turns,
and the best of their times counts, since whatever else runs on the machine only adds; about a minute.
"""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from measure import head, row
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from pipeline_lib.models.gru import GRU
from pipeline_lib.training.device import keep_freed_memory

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
    parameters: list[Tensor]  # to differentiate by; none: forward alone


SIZES = [Sizes("paper", 300, 300, 12), Sizes("embedded", 50, 64, 9)]


def main() -> None:
    keep_freed_memory()  # as the training script does
    head("GRU, batch of 64 texts", "threads", "torch ms", "ours ms", "ratio", "largest relative difference")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for sizes in SIZES:
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
    own_states = states[:, ::COPIES].contiguous()

    def encoded(texts: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(texts, lengths, batch_first=True, enforce_sorted=False)
        return torch.cat(list(nn.GRU.forward(encoder, packed)[1]), -1)

    def marked() -> Tensor:
        return (inputs.unsqueeze(1) + marks.unsqueeze(1)).flatten(0, 1)

    yield Case(
        f"encoder, {sizes.name} sizes",
        lambda: encoded(inputs, lengths),
        lambda: encoder.last_states(inputs, lengths),
        list(encoder.parameters()),
    )
    yield Case(
        f"decoder, {sizes.name} sizes",
        lambda: nn.GRU.forward(decoder, inputs, own_states)[0],
        lambda: decoder.outputs(inputs, own_states),
        list(decoder.parameters()),
    )
    yield Case(
        f"encoder, 8 copies, {sizes.name} sizes",
        lambda: encoded(marked(), lengths.repeat_interleave(COPIES)),
        lambda: encoder.last_states_of_copies(inputs, lengths, marks),
        [],
    )
    yield Case(
        f"decoder, 8 copies, {sizes.name} sizes",
        lambda: nn.GRU.forward(decoder, inputs.repeat_interleave(COPIES, 0), states)[0],
        lambda: decoder.outputs(inputs, states, COPIES),
        [],
    )


def report(case: Case, threads: int) -> None:
    best = [float("inf")] * 2
    for _ in range(REPETITIONS):
        results = []
        for i, forward in enumerate((case.theirs, case.ours)):
            started = time.perf_counter()
            results.append(computed(forward, case.parameters))
            best[i] = min(best[i], time.perf_counter() - started)
    difference = max(float((a - b).abs().max() / a.abs().max()) for a, b in zip(*results, strict=True))
    milliseconds = [f"{1e3 * seconds:.1f}" for seconds in best]
    row(case.name, str(threads), *milliseconds, f"{best[0] / best[1]:.2f}", f"{difference:.0e}")


def computed(forward: Callable[[], Tensor], parameters: list[Tensor]) -> tuple[Tensor, ...]:
    """Gradients by the parameters, or where there are none the output."""
    if parameters:
        return torch.autograd.grad(forward().square().sum(), parameters)
    with torch.no_grad():
        return (forward(),)


if __name__ == "__main__":
    main()
