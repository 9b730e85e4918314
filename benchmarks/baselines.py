"""Training steps of Group-wise and T5-CLAPS against plainer forms of them.

    python benchmarks/baselines.py

Group-wise: `models/group_wise.py`, which encodes every context of a batch once and decodes all pairs of all groups at
once, against the order of the released code: the likelihood, then one pair of each group after the other, each with
passes of its own through the encoder and the decoder of both models. T5-CLAPS: its step against that of T5, which
needs the package transformers (`make pretrained`). At the sizes of the generated questions and of real ones, one
thread; the forms take turns, and the best of their times counts; a minute.
"""

import importlib.util
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from measure import head, row
from torch import Tensor

from pipeline_lib.compute.device import keep_freed_memory
from pipeline_lib.compute.sharing import token_mean
from pipeline_lib.config.networks import Transformer as Sizes
from pipeline_lib.examples.batch import Batch, Response, Tokens
from pipeline_lib.models.group_wise import GroupWise, group_loss
from pipeline_lib.models.system import System, create
from pipeline_lib.text.ids import Ids
from pipeline_lib.text.units import Units

REPETITIONS, BATCH, LONGEST = 7, 64, 13


class Case(NamedTuple):
    name: str
    words: int
    sizes: Sizes


CASES = [
    Case("generated, d 64, V 600", 600, Sizes(width=64, layers=2, heads=4, feed_forward=256)),
    Case("real, d 128, V 4,000", 4_000, Sizes(width=128, layers=2, heads=4, feed_forward=512)),
]


class Numbers:
    """Units that are numbers; nothing is encoded here."""

    ids, embeddings = Ids(), None

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size


def main() -> None:
    keep_freed_memory()  # as the training script does
    torch.set_num_threads(1)
    head("step of 64 pairs", "plainer ms", "ours ms", "ratio", "relative difference of the loss")
    for case in CASES:
        model = build("group_wise:GroupWise", case)
        batch = drawn(case.words)
        report(
            f"Group-wise, {case.name}", lambda m=model, b=batch: one_by_one(m, b), lambda m=model, b=batch: ours(m, b)
        )
    if importlib.util.find_spec("transformers") is None:
        print("T5-CLAPS: skipped, the package transformers is not installed (make pretrained)")
        return
    print()
    head("step of 64 pairs", "T5 ms", "T5-CLAPS ms", "share of T5's speed", "")
    for case in CASES:
        plain, claps, batch = build("t5:T5", case), build("claps:T5Claps", case), drawn(case.words)
        times = best(lambda m=plain, b=batch: step(m, b), lambda m=claps, b=batch: step(m, b))
        row(f"T5-CLAPS, {case.name}", *(f"{1e3 * each:.0f}" for each in times), f"{times[0] / times[1]:.2f}", "")


def build(system: str, case: Case) -> System:
    torch.manual_seed(1)
    units: Units = Numbers(case.words)  # type: ignore[assignment]
    sizes = case.sizes.model_copy(update={"dropout": 0.0})
    model = create(f"pipeline_lib.models.{system}", {}, units, sizes)
    if isinstance(model, GroupWise):
        model.start_from(create("pipeline_lib.models.transformer:Transformer", {}, units, sizes).state_dict())
    return model.train()


def drawn(words: int) -> Batch:
    """Pairs of texts of like lengths, as a bucket has them."""
    random = torch.Generator().manual_seed(2)
    lengths = [LONGEST - torch.randint(0, 3, (BATCH,), generator=random) for _ in range(2)]
    ids = [torch.randint(4, words, (BATCH, LONGEST), generator=random) for _ in range(2)]
    inputs = torch.cat([torch.full((BATCH, 1), 2), ids[1][:, :-1]], 1)
    return Batch(Response(inputs, ids[1], lengths[1]), Tokens(ids[0], lengths[0]))


def ours(model: GroupWise, batch: Batch) -> Tensor:
    model.zero_grad()
    loss = model.contrast(batch, 0.5, torch.Generator().manual_seed(3)).loss
    loss.backward()
    return loss.detach()


def one_by_one(model: GroupWise, batch: Batch) -> Tensor:
    """Make the step pair by pair, as the released code does, with the gradient of each pair by itself."""
    noise = torch.Generator().manual_seed(3)
    model.zero_grad()
    assert batch.context is not None
    group = model.groups(batch.context, batch.response.words, noise)
    loss = 0.5 * token_mean(model._nll(batch, noise), batch.response.lengths)
    loss.backward()
    total = loss.detach()
    pairs = group.contexts.shape[1]
    for pair in range(pairs):
        context, response = group.contexts[:, pair], group.responses[:, pair]
        chosen = Batch(
            Response(*(part[response] for part in vars(batch.response).values())),
            Tokens(batch.context.ids[context], batch.context.lengths[context]),
        )
        nll = model._nll(chosen, noise)
        with torch.no_grad():
            reference = model.reference._nll(chosen, noise)
        loss = 0.5 * group_loss((reference - nll).unsqueeze(1), group.scores[:, pair : pair + 1]).mean() / pairs
        loss.backward()
        total += loss.detach()
    return total


def step(model: System, batch: Batch) -> Tensor:
    model.zero_grad()
    loss = model.objective(batch, 1.0, torch.Generator().manual_seed(3)).loss
    loss.backward()
    return loss.detach()


def report(name: str, plainer: Callable[[], Tensor], ours: Callable[[], Tensor]) -> None:
    expected, found = float(plainer()), float(ours())
    times = best(plainer, ours)
    difference = abs(found / expected - 1)
    row(name, *(f"{1e3 * each:.0f}" for each in times), f"{times[0] / times[1]:.2f}", f"{difference:.0e}")


def best(*forms: Callable[[], Tensor]) -> list[float]:
    """Return the best time of each form, which take turns."""
    times = np.full((REPETITIONS, len(forms)), np.inf)
    for turn in times:
        for i, form in enumerate(forms):
            started = time.process_time()
            form()
            turn[i] = time.process_time() - started
    return times.min(0).tolist()


if __name__ == "__main__":
    main()
