"""SepaCVAE's training step at paper size: two-pass selection against the one-pass form and a plain implementation.

All three see the same pairs: lengths drawn like DailyDialog's (log-normal, median 10, at most 25), a vocabulary of
10,000, batch 64, 8 groups, 2-layer GRU 300. `plain` is the obvious program: every copy with gradient, everything
padded to 25 tokens, batches as they come, every position projected to the vocabulary.
"""

import resource
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional as F

from pipeline_lib.config import Network
from pipeline_lib.models.base import Batch, Objective, create
from pipeline_lib.models.layers import Gaussian, kl_divergence, valid_positions
from pipeline_lib.models.sepacvae import SepaCVAE, relationship_loss
from pipeline_lib.training.batches import BatchOrder, PairDataset, Texts
from pipeline_lib.training.device import keep_freed_memory, seeded

VOCABULARY, BATCH, LONGEST, ROUNDS = 10_000, 64, 25, 8


def _texts(random: np.random.Generator, n: int) -> Texts:
    lengths = np.exp(random.normal(np.log(10), 0.6, n)).round().clip(1, LONGEST).astype(np.int64)
    starts = np.concatenate([[0], lengths.cumsum()])
    return Texts(random.integers(4, VOCABULARY, starts[-1]).astype(np.int32), starts)


def _padded(batch: Batch) -> Batch:
    def widen(tokens: torch.Tensor, width: int) -> torch.Tensor:
        return F.pad(tokens, (0, width - tokens.shape[1]))

    return Batch(
        widen(batch.context, LONGEST),
        batch.context_lengths,
        widen(batch.inputs, LONGEST + 1),
        widen(batch.targets, LONGEST + 1),
        batch.lengths,
    )


def plain_objective(model: SepaCVAE, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
    """The objective in one pass over padded copies, as one would write it down."""
    batch, n = _padded(batch), model.groups
    rows, group = model._all_pairs(batch)
    full = torch.full((len(rows),), LONGEST)
    context = model.encoder(model.embed(batch.context[rows]) + model.group_vectors[group].unsqueeze(1), full)
    response = model.encoder(model.embed(batch.words[rows]), full)
    posterior = Gaussian.of(model.recognition(torch.cat([context, response], -1)))
    kl = kl_divergence(posterior, Gaussian.of(model.prior(context)))
    z = posterior.sample(model._noise(batch, generator).flatten(0, 1))
    hidden = model.decoder(model.embed(batch.inputs[rows]), torch.cat([context, z], -1))
    logits = model.decoder.output(hidden)
    valid = valid_positions(batch.lengths[rows], LONGEST + 1)
    token_nll = F.cross_entropy(logits.flatten(0, 1), batch.targets[rows].flatten(), reduction="none").view_as(valid)
    nll = (token_nll * valid).sum(1)
    winner = (nll + kl).detach().view(-1, n).argmin(1)
    chosen = torch.arange(len(batch)) * n + winner
    generated = model.encoder(logits[chosen].softmax(-1)[:, :LONGEST] @ model.embeddings, full[: len(batch)])
    classification = F.cross_entropy(model.group_classifier(generated), winner)
    relationship = relationship_loss(generated, winner)
    return Objective(nll[chosen].mean() + weight * (kl[chosen].mean() + relationship) + classification, {})


def main() -> None:
    torch.set_num_threads(2)
    keep_freed_memory()
    random = np.random.default_rng(0)
    torch.manual_seed(0)
    embeddings = torch.randn(VOCABULARY, 300) * 0.3
    model = create("pipeline_lib.models.sepacvae:SepaCVAE", {}, embeddings, Network(), 8)
    assert isinstance(model, SepaCVAE)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    dataset = PairDataset(_texts(random, BATCH * 50), _texts(random, BATCH * 50), None)
    bucketed, unbucketed = (BatchOrder(dataset, BATCH, stretch, 0) for stretch in (50, 1))

    def step(objective: Callable[..., Objective], rows: np.ndarray, number: int) -> float:
        started = time.perf_counter()
        batch = dataset.batch(rows)
        loss = objective(batch, 0.5, seeded(torch.device("cpu"), 0, number)).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        return time.perf_counter() - started

    forms: dict[str, tuple[Callable[..., Objective], BatchOrder]] = {
        "two-pass": (model.objective, bucketed),
        "one-pass": (model.objective_in_one_pass, bucketed),
        "plain": (lambda *a: plain_objective(model, *a), unbucketed),
    }
    times: dict[str, list[float]] = {name: [] for name in forms}
    for number in range(ROUNDS + 1):  # in turn, so that a drift of the machine's speed meets all three; first is warm-up
        for name, (objective, order) in forms.items():
            seconds = step(objective, order.rows(number), number)
            if number:
                times[name].append(seconds)
    ours = statistics.mean(times["two-pass"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print("| SepaCVAE step, batch 64, V 10,000, 2 threads | s per step | times two-pass |\n| --- | --- | --- |")
    for name, seconds in times.items():
        print(f"| {name} | {statistics.mean(seconds):.3f} | {statistics.mean(seconds) / ours:.2f} |")
    print(f"\npeak memory of the three together {peak:.2f} GiB")


if __name__ == "__main__":
    main()
