"""SepaCVAE's training step at paper size: two-pass selection against the one-pass form and a plain implementation.

All three see the same examples: lengths drawn like DailyDialog's (log-normal, median 10, at most 25), a vocabulary of
10,000, batch 64, 8 groups, 2-layer GRU 300. `one-pass` is ours but for the selection: every copy with gradient, the
losers masked. `plain` is the obvious program: one pass, torch's GRU, everything padded to 25 tokens, batches as they
come, every position projected to the vocabulary. Each form runs in processes of its own, the forms in turn, so that a
drift of the machine's speed meets all three; about two minutes.

    python benchmarks/training_step.py
"""

import statistics
import sys
import time

import numpy as np
import torch
from drawn import log_normal, texts, vocabulary
from measure import Run, head, python, row
from torch import nn
from torch.nn import functional as F

from pipeline_lib.compute.device import keep_freed_memory, seeded
from pipeline_lib.config.networks import Recurrent
from pipeline_lib.examples.batch import Batch, Response, Tokens
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.examples.order import BatchOrder
from pipeline_lib.models.layers.distributions import Gaussian, kl_divergence
from pipeline_lib.models.layers.recurrent import valid_positions
from pipeline_lib.models.relationship import relationship_loss
from pipeline_lib.models.sepacvae import SepaCVAE
from pipeline_lib.models.system import Objective, create, given

VOCABULARY, BATCH, LONGEST = 10_000, 64, 25
STEPS, ROUNDS = 8, 2
FORMS = ("two-pass", "one-pass", "plain")


def _pairs(random: np.random.Generator, n: int) -> ExampleDataset:
    lengths = log_normal(random, (n, 2), median=10, spread=0.6, longest=LONGEST)
    return ExampleDataset(texts(random, lengths[:, 0], VOCABULARY), texts(random, lengths[:, 1], VOCABULARY))


def _padded(batch: Batch) -> Batch:
    def widen(tokens: torch.Tensor, width: int) -> torch.Tensor:
        return F.pad(tokens, (0, width - tokens.shape[1]))

    context, response = given(batch.context), batch.response
    return Batch(
        Response(widen(response.inputs, LONGEST + 1), widen(response.targets, LONGEST + 1), response.lengths),
        Tokens(widen(context.ids, LONGEST), context.lengths),
    )


def plain_objective(model: SepaCVAE, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
    """The objective in one pass over padded copies, as one would write it down, with torch's own GRU."""
    batch, n = _padded(batch), model.groups
    rows = torch.arange(len(batch)).repeat_interleave(n)
    marks = model.group_vectors.repeat(len(batch), 1).unsqueeze(1)

    def encode(embedded: torch.Tensor) -> torch.Tensor:
        return torch.cat(list(nn.GRU.forward(model.encoder.gru, embedded)[1]), -1)

    context = encode(model.embed(given(batch.context).ids[rows]) + marks)
    response = encode(model.embed(batch.response.words.ids[rows]))
    posterior = Gaussian.of(model.recognition(torch.cat([context, response], -1)))
    kl = kl_divergence(posterior, Gaussian.of(model.prior(context)))
    z = posterior.sample(model._noise(batch, generator).flatten(0, 1))
    state = model.decoder.initial_state(torch.cat([context, z], -1))
    logits = model.decoder.output(nn.GRU.forward(model.decoder.gru, model.embed(batch.response.inputs[rows]), state)[0])
    valid = valid_positions(batch.response.lengths[rows], LONGEST + 1)
    token_nll = F.cross_entropy(logits.flatten(0, 1), batch.response.targets[rows].flatten(), reduction="none").view_as(
        valid
    )
    nll = (token_nll * valid).sum(1)
    winner = (nll + kl).detach().view(-1, n).argmin(1)
    mask = F.one_hot(winner, n).flatten()
    chosen = mask.bool()
    generated = encode(logits[chosen].softmax(-1)[:, :LONGEST] @ model.embeddings)
    classification = F.cross_entropy(model.group_classifier(generated), winner)
    total = (nll * mask).sum() + weight * (kl * mask).sum()
    return Objective(total / len(batch) + weight * relationship_loss(generated, winner) + classification, {})


def seconds(form: str) -> float:
    """Mean of a step after a warm-up."""
    torch.set_num_threads(2)
    torch.manual_seed(0)
    sizes = Recurrent(initial_range=0.05)
    model = create("pipeline_lib.models.sepacvae:SepaCVAE", {}, vocabulary(VOCABULARY, 300), sizes)
    assert isinstance(model, SepaCVAE)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    dataset = _pairs(np.random.default_rng(0), BATCH * 50)
    order = BatchOrder(dataset, BATCH, bucket_batches=1 if form == "plain" else 50, seed=0)
    objective = {
        "two-pass": model.objective,
        "one-pass": model.objective_in_one_pass,
        "plain": lambda *arguments: plain_objective(model, *arguments),
    }[form]
    if form != "plain":
        keep_freed_memory()  # as the training script does
    times = []
    for number in range(STEPS + 1):
        started = time.perf_counter()
        loss = objective(dataset.batch(order.rows(number)), 0.5, seeded(torch.device("cpu"), 0, number)).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        times.append(time.perf_counter() - started)
    return statistics.mean(times[1:])


def main() -> None:
    found: dict[str, list[Run]] = {form: [] for form in FORMS}
    for _ in range(ROUNDS):
        for form in FORMS:
            found[form].append(python(__file__, form))
    mean = {form: statistics.mean(float(run.output) for run in runs) for form, runs in found.items()}
    head("SepaCVAE step, batch 64, V 10,000, 2 threads", "s per step", "times two-pass", "peak MiB")
    for form in FORMS:
        peak = max(run.peak for run in found[form])
        row(form, f"{mean[form]:.3f}", f"{mean[form] / mean['two-pass']:.2f}", f"{peak:.0f}")


if __name__ == "__main__":
    if sys.argv[1:]:
        print(seconds(sys.argv[1]))  # of one form, in this process
    else:
        main()
