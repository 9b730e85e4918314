"""A round of PersonaWAE against the same arithmetic as the released code of its family organises it.

A round updates autoencoder, generator and five times the critic. Sizes are those of the paper: batch 100, 31,000 words,
embeddings and z of 200, 256 hidden units, users of 512; contexts of two turns, and lengths drawn like those of short
posts (log-normal, median 11 words, at most 40). `plain` is the obvious program in the manner of guxd/DialogWAE: batches
as they come, encoders run anew with their graph for every phase and every update of the critic, one backward pass for
each term of a loss, a decoder that steps through GRU cells, all positions projected to the vocabulary, dense gradients,
torch's optimisers as they are by default. It runs as it is, and with freed memory kept as our training keeps it, which
changes the allocator alone. Each form runs in processes of its own, the forms
in turn, so that a drift of the machine's speed meets both; some minutes.

    python benchmarks/persona_round.py
"""

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from drawn import TURN, contexts, log_normal, texts, vocabulary
from measure import Run, head, python, row
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence

from pipeline_lib.compute.device import keep_freed_memory, seeded
from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.config.networks import Dialogue
from pipeline_lib.config.training import Optimiser, PhaseSettings, Training
from pipeline_lib.examples.batch import Batch
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.examples.order import BatchOrder
from pipeline_lib.models.layers.turns import by_turn
from pipeline_lib.models.system import create, given
from pipeline_lib.training.phases import trained_phases

BATCH = 100
VOCABULARY, EMBEDDING, HIDDEN, LATENT, USER, USERS = 31_000, 200, 256, 200, 512, 2_000
UPDATES, PENALTY, TEMPERATURE, COMPONENTS, DROPOUT = 5, 10.0, 0.1, 3, 0.5
ROUNDS, REPEATS = 3, 3
FORMS = ("ours", "plain", "plain, memory kept")

Round = Callable[[list[Batch], int], None]


class Mixture(nn.Module):
    """Gaussians of a condition, of which one is drawn."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(size, LATENT), nn.Tanh(), nn.Linear(LATENT, LATENT), nn.Tanh())
        self.choice = nn.Linear(LATENT, COMPONENTS)
        self.mean = nn.Linear(LATENT, COMPONENTS * LATENT)
        self.log_variance = nn.Linear(LATENT, COMPONENTS * LATENT)

    def forward(self, condition: Tensor) -> Tensor:
        hidden = self.trunk(condition)
        mean, log_variance = (part(hidden).view(-1, COMPONENTS, LATENT) for part in (self.mean, self.log_variance))
        draws = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        chosen = F.gumbel_softmax(self.choice(hidden), TEMPERATURE, hard=True)
        return torch.bmm(chosen.unsqueeze(1), draws).squeeze(1)


def generator() -> nn.Sequential:
    hidden = [nn.Linear(LATENT, LATENT), nn.LayerNorm(LATENT), nn.ReLU()]
    again = [nn.Linear(LATENT, LATENT), nn.LayerNorm(LATENT), nn.ReLU()]
    return nn.Sequential(*hidden, *again, nn.Linear(LATENT, LATENT))


class Plain(nn.Module):
    """PersonaWAE as one would write it down."""

    def __init__(self) -> None:
        super().__init__()
        code = 2 * HIDDEN
        self.words, self.users = nn.Embedding(VOCABULARY, EMBEDDING), nn.Embedding(USERS, USER)
        self.turns = nn.GRU(EMBEDDING, HIDDEN, batch_first=True, bidirectional=True)
        self.context = nn.GRU(code + 2, HIDDEN, batch_first=True, bidirectional=True)
        self.response = nn.GRU(EMBEDDING, HIDDEN, batch_first=True, bidirectional=True)
        self.recognition = nn.Sequential(
            nn.Linear(2 * code, LATENT), nn.Tanh(), nn.Linear(LATENT, LATENT), nn.Tanh(), nn.Linear(LATENT, 2 * LATENT)
        )
        self.of_context, self.of_user, self.fusion = Mixture(code), Mixture(USER), nn.Linear(code + USER, 2)
        self.posterior_generator, self.prior_generator = generator(), generator()
        self.critic = nn.Sequential(
            *(nn.Linear(LATENT + code, code), nn.LayerNorm(code), nn.LeakyReLU(0.2)),
            *(nn.Linear(code, code), nn.LayerNorm(code), nn.LeakyReLU(0.2)),
            nn.Linear(code, 1),
        )
        self.first, self.cell = nn.Linear(LATENT + code, HIDDEN), nn.GRUCell(EMBEDDING + USER, HIDDEN)
        self.gates = nn.ModuleList(nn.Linear(size, USER, bias=False) for size in (HIDDEN, EMBEDDING, USER))
        self.output = nn.Linear(HIDDEN, VOCABULARY)

    def encoded(self, gru: nn.GRU, ids: Tensor, lengths: Tensor) -> Tensor:
        read = pack_padded_sequence(F.dropout(self.words(ids), DROPOUT, self.training), lengths, True, False)
        return torch.cat(list(gru(read)[1]), -1)

    def encodings(self, batch: Batch) -> tuple[Tensor, Tensor]:
        turns = by_turn(given(batch.context), TURN, 0)
        every = self.encoded(self.turns, turns.ids.flatten(0, 1), turns.lengths.flatten()).unflatten(0, (-1, 2))
        floors = F.one_hot(given(batch.floors), 2).float()
        read = F.dropout(torch.cat([every, floors], -1), DROPOUT / 2, self.training)
        return torch.cat(list(self.context(read)[1]), -1), self.encoded(
            self.response, batch.response.words.ids, batch.response.words.lengths
        )

    def z_of_posterior(self, context: Tensor, response: Tensor) -> Tensor:
        mean, log_variance = self.recognition(torch.cat([response, context], -1)).chunk(2, -1)
        return self.posterior_generator(mean + torch.randn_like(mean) * (0.5 * log_variance).exp())

    def z_of_prior(self, context: Tensor, user: Tensor) -> Tensor:
        weights = self.fusion(torch.cat([context, user], -1)).softmax(-1)
        return self.prior_generator(weights[:, :1] * self.of_context(context) + weights[:, 1:] * self.of_user(user))

    def reconstruction(self, batch: Batch) -> Tensor:
        context, encoded = self.encodings(batch)
        user, response = self.users(given(batch.user)), batch.response
        state = self.first(torch.cat([self.z_of_posterior(context, encoded), context], -1))
        words, states = F.dropout(self.words(response.inputs), DROPOUT, self.training), []
        for step in range(words.shape[1]):
            of_state, of_word, of_user = self.gates
            gate = torch.sigmoid(of_state(state) + of_word(words[:, step]) + of_user(user))
            state = self.cell(torch.cat([words[:, step], gate * user], -1), state)
            states.append(state)
        logits, targets = self.output(torch.stack(states, 1)).flatten(0, 1), response.targets.flatten()
        inside = (targets > 0).unsqueeze(1).expand_as(logits)
        kept = logits.masked_select(inside).view(-1, VOCABULARY)
        return F.cross_entropy(kept, targets.masked_select(targets > 0))

    def judged(self, z: Tensor, context: Tensor) -> Tensor:
        return self.critic(torch.cat([z, context], -1))


def plain() -> Round:
    model = Plain().train()
    owned = [model.words, model.users, model.turns, model.context, model.response, model.recognition]
    autoencoder = [*owned, model.posterior_generator, model.first, model.cell, model.gates, model.output]
    imitating = [model.recognition, model.posterior_generator, model.of_context, model.of_user, model.fusion]
    every, those = (
        [parameter for part in parts for parameter in part.parameters()]
        for parts in (autoencoder, [*imitating, model.prior_generator, model.users])
    )
    of_autoencoder, of_generator = torch.optim.SGD(every, 1.0), torch.optim.RMSprop(those, 5e-5)
    of_critic = torch.optim.RMSprop(model.critic.parameters(), 1e-5)

    def step(batches: list[Batch], number: int) -> None:
        model.train()
        loss = model.reconstruction(batches[0])
        of_autoencoder.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(every, 1.0)
        of_autoencoder.step()
        model.eval()
        of_generator.zero_grad()
        context, response = (part.detach() for part in model.encodings(batches[0]))
        (-model.judged(model.z_of_posterior(context, response), context).mean()).backward()
        model.judged(model.z_of_prior(context, model.users(given(batches[0].user))), context).mean().backward()
        of_generator.step()
        for batch in batches:
            of_critic.zero_grad()
            context, response = model.encodings(batch)
            posterior = model.z_of_posterior(context, response).detach()
            prior = model.z_of_prior(context, model.users(given(batch.user))).detach()
            context = context.detach()
            model.judged(posterior, context).mean().backward()
            (-model.judged(prior, context).mean()).backward()
            share = torch.rand(len(prior), 1)
            between = (share * prior + (1 - share) * posterior).requires_grad_()
            [slope] = torch.autograd.grad(model.judged(between, context).sum(), between, create_graph=True)
            (PENALTY * (slope.norm(dim=1) - 1).square().mean()).backward()
            of_critic.step()

    return step


def ours() -> Round:
    sizes = Dialogue(hidden=HIDDEN, latent=LATENT, user=USER, dropout=DROPOUT, initial_range=None)
    path = "pipeline_lib.models.persona_wae:PersonaWAE"
    model = create(path, {"users": USERS, "user_dropout": 0.0}, vocabulary(VOCABULARY, EMBEDDING), sizes)
    settings = Training(
        optimiser=Optimiser(kind="sgd", learning_rate=1.0, clip=1.0),
        phases={
            "generator": PhaseSettings(optimiser=Optimiser(kind="rmsprop", learning_rate=5e-5)),
            "critic": PhaseSettings(optimiser=Optimiser(kind="rmsprop", learning_rate=1e-5), updates=UPDATES),
        },
    )
    phases, ranks = trained_phases(model, settings), Ranks()
    model.train()

    def step(batches: list[Batch], number: int) -> None:
        update = 0
        for phase in phases:
            for batch in batches[: phase.updates]:
                noise = seeded(torch.device("cpu"), number, update)
                phase.update(phase.objective(batch, 1.0, noise).loss, 0.0, ranks)
                update += 1

    return step


def dialogues(random: np.random.Generator, n: int) -> ExampleDataset:
    lengths = log_normal(random, (n, 3), median=11, spread=0.6, longest=40)
    beside = {"user": random.integers(1, USERS, n), "floors": np.tile([1, 0], (n, 1))}
    read, said = contexts(random, lengths[:, :2], VOCABULARY), texts(random, lengths[:, 2], VOCABULARY)
    return ExampleDataset(read, said, beside)


def seconds(form: str) -> float:
    """Measure a round of a form on the same dialogues, after a warm-up."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if form != "plain":
        keep_freed_memory()  # as the training script does
    data = dialogues(np.random.default_rng(0), BATCH * 40)
    order = BatchOrder(data, BATCH, bucket_batches=40 if form == "ours" else 1, seed=0)
    step = ours() if form == "ours" else plain()
    times = []
    for number in range(ROUNDS + 1):
        started = time.perf_counter()
        step([data.batch(order.rows(UPDATES * number + i)) for i in range(UPDATES)], number)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def main() -> None:
    found: dict[str, list[Run]] = {form: [] for form in FORMS}
    for _ in range(REPEATS):
        for form in FORMS:
            found[form].append(python(__file__, form))
    mean = {form: statistics.mean(float(run.output) for run in runs) for form, runs in found.items()}
    head("a round of PersonaWAE, batch 100, V 31,000, 1 thread", "s per round", "times ours", "peak MiB")
    for form in FORMS:
        peak = max(run.peak for run in found[form])
        row(form, f"{mean[form]:.2f}", f"{mean[form] / mean['ours']:.2f}", f"{peak:.0f}")


if __name__ == "__main__":
    if sys.argv[1:]:
        print(seconds(sys.argv[1]))  # of one form, in this process
    else:
        main()
