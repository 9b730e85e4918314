"""A training step of the sentence systems against a plain implementation, at the size of a public one for the PTB.

Embeddings of 300, LSTMs of 256, z of 16 dimensions, batch 32, 9,900 words; sentence lengths drawn like those of the
Penn Treebank (gamma, mean 21, at most 82 words). `plain` is the obvious program: batches as they come, padded to their
longest sentence, all padding projected to the vocabulary, log_softmax over all logits at once, packed sequences,
torch's Adam as it is by default, no tuning of the allocator. `ours, bfloat16` is ours with `precision: bfloat16`, whose
losses differ in their digits; the others multiply in float32. Each form runs in processes of its own, the forms in
turn, so that a drift of the machine's speed meets both; about nine minutes. Time is of the processor, all threads
together, which other work on the machine changes little.

    python benchmarks/sentence_step.py
    python benchmarks/sentence_step.py --peer <folder>  # also the public one, a copy of github.com/timbmg/Sentence-VAE

The peer runs as its training script does by default: a GRU, dropout of 0.5 on embeddings, all words shown, sentences
cut at 60 tokens and padded to 60. Its loader is left out; batches come from ours.
"""

import argparse
import importlib
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from drawn import texts, vocabulary
from measure import Run, head, python, row
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from pipeline_lib.compute.device import keep_freed_memory, seeded
from pipeline_lib.compute.precision import precise
from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.config.networks import LanguageModel
from pipeline_lib.config.training import Optimiser, Training
from pipeline_lib.examples.batch import Batch
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.examples.order import BatchOrder
from pipeline_lib.models.system import create
from pipeline_lib.text.ragged import Ragged
from pipeline_lib.training.phases import trained_phases

VOCABULARY, BATCH, LONGEST = 9_900, 32, 82
EMBEDDING, HIDDEN, LATENT, KEEP = 300, 256, 16, 0.62
STEPS, ROUNDS = 50, 2
SYSTEMS = ("RNNLM", "SentenceVAE")
FORMS = ("ours", "ours, bfloat16", "plain", "peer")
PEER_LONGEST = 60  # tokens of a sentence, the start token included

Step = Callable[[Batch, int], None]


class Plain(nn.Module):
    """The RNNLM, or with ``latent`` the VAE, as one would write it down."""

    def __init__(self, latent: bool, unknown: int) -> None:
        super().__init__()
        self.latent, self.unknown = latent, unknown
        self.embedding = nn.Embedding(VOCABULARY, EMBEDDING)
        if latent:
            self.encoder = nn.LSTM(EMBEDDING, HIDDEN, batch_first=True)
            self.mean, self.log_variance = nn.Linear(HIDDEN, LATENT), nn.Linear(HIDDEN, LATENT)
            self.initial = nn.Linear(LATENT, 2 * HIDDEN)
        self.decoder = nn.LSTM(EMBEDDING, HIDDEN, batch_first=True)
        self.output = nn.Linear(HIDDEN, VOCABULARY)

    def loss(self, batch: Batch) -> Tensor:
        response, state, kl = batch.response, None, torch.zeros(())
        if self.latent:
            words = response.words
            read = pack_padded_sequence(self.embedding(words.ids), words.lengths, True, enforce_sorted=False)
            last = self.encoder(read)[1][0][-1]
            mean, log_variance = self.mean(last), self.log_variance(last)
            z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
            kl = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
            h, c = self.initial(z).unsqueeze(0).chunk(2, -1)
            state = h.contiguous(), c.contiguous()
        shown = response.inputs.clone()
        shown[torch.rand(shown.shape) >= KEEP] = self.unknown
        read = pack_padded_sequence(self.embedding(shown), response.lengths, True, enforce_sorted=False)
        hidden = pad_packed_sequence(self.decoder(read, state)[0], batch_first=True)[0]
        log_p = F.log_softmax(self.output(hidden), -1)
        targets = response.targets[:, : hidden.shape[1]]
        nll = F.nll_loss(log_p.view(-1, VOCABULARY), targets.reshape(-1), ignore_index=0, reduction="sum")
        return (nll + kl) / len(response.lengths)


def sentences(random: np.random.Generator, n: int) -> ExampleDataset:
    lengths = random.gamma(4.3, 4.9, n).round().clip(1, LONGEST).astype(np.int64)
    nothing = Ragged(np.empty(0, np.int32), np.zeros(n + 1, np.int64))
    return ExampleDataset(nothing, texts(random, lengths, VOCABULARY))


def ours(system: str, precision: str) -> Step:
    """Make the step of a training job: objective, gradient, clipping, fused Adam."""
    keep_freed_memory()  # as the training script does
    sizes = LanguageModel(embedding=EMBEDDING, hidden=HIDDEN, latent=LATENT)
    model = create(f"pipeline_lib.models.sentence_vae:{system}", {"keep": KEEP}, vocabulary(VOCABULARY, None), sizes)
    [phase] = trained_phases(model, Training(optimiser=Optimiser(kind="fused_adam")))
    ranks = Ranks()

    def step(batch: Batch, number: int) -> None:
        noise = seeded(torch.device("cpu"), 0, number)
        with precise(torch.device("cpu"), precision):
            loss = phase.objective(batch, 0.5, noise).loss
        phase.update(loss, 0.0, ranks)

    return step


def plain(system: str) -> Step:
    model = Plain(system == "SentenceVAE", unknown=1)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)

    def step(batch: Batch, number: int) -> None:
        optimiser.zero_grad()
        model.loss(batch).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()

    return step


def peer(folder: Path) -> Step:
    """Make the step of Sentence-VAE, with the arguments that its training script has by default."""
    sys.path.insert(0, str(folder))
    model = importlib.import_module("model").SentenceVAE(
        vocab_size=VOCABULARY,
        embedding_size=EMBEDDING,
        rnn_type="gru",
        hidden_size=HIDDEN,
        word_dropout=0,
        embedding_dropout=0.5,
        latent_size=LATENT,
        pad_idx=0,
        unk_idx=1,
        sos_idx=2,
        eos_idx=3,
        max_sequence_length=PEER_LONGEST,
    )
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)

    def step(batch: Batch, number: int) -> None:
        response = batch.response
        missing = max(0, PEER_LONGEST - response.inputs.shape[1])
        inputs, targets = (
            F.pad(words, (0, missing))[:, :PEER_LONGEST] for words in (response.inputs, response.targets)
        )
        lengths = response.lengths.clamp(max=PEER_LONGEST)
        log_p, mean, log_variance, _ = model(inputs, lengths)
        read = targets[:, : log_p.shape[1]].reshape(-1)
        nll = F.nll_loss(log_p.view(-1, VOCABULARY), read, ignore_index=0, reduction="sum")
        kl = -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
        optimiser.zero_grad()
        ((nll + 0.5 * kl) / len(lengths)).backward()
        optimiser.step()

    return step


def made(system: str, form: str, folder: Path | None) -> Step:
    if folder is not None:
        return peer(folder)
    if form == "plain":
        return plain(system)
    return ours(system, "bfloat16" if form == "ours, bfloat16" else "float32")


def tokens_per_second(system: str, form: str, threads: int, folder: Path | None) -> float:
    """Measure a form for an epoch after a first one, which warms it up: tokens in a second of the processor."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    data = sentences(np.random.default_rng(0), BATCH * STEPS)
    order = BatchOrder(data, BATCH, bucket_batches=STEPS if form.startswith("ours") else 1, seed=0)
    step = made(system, form, folder)
    for number in range(STEPS):
        step(data.batch(order.rows(number)), number)
    started, tokens = time.process_time(), 0
    for number in range(STEPS, 2 * STEPS):
        rows = order.rows(number)
        step(data.batch(rows), number)
        tokens += data.targets(rows)
    return tokens / (time.process_time() - started)


def main(threads: int, folder: Path | None) -> None:
    head(f"sentence systems, batch 32, threads: {threads}", "tokens/s", "times plain", "peak MiB")
    for system in SYSTEMS:
        forms = FORMS if folder and system == "SentenceVAE" else FORMS[:3]
        found: dict[str, list[Run]] = {form: [] for form in forms}
        for _ in range(ROUNDS):
            for form in forms:
                where = ["--peer", str(folder)] if form == "peer" else []
                found[form].append(python(__file__, "--threads", str(threads), *where, system, form))
        speed = {form: statistics.mean(float(run.output) for run in runs) for form, runs in found.items()}
        for form in forms:
            peak = max(run.peak for run in found[form])
            row(f"{system}, {form}", f"{speed[form]:,.0f}", f"{speed[form] / speed['plain']:.2f}", f"{peak:.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", type=Path, metavar="FOLDER", help="a copy of github.com/timbmg/Sentence-VAE")
    parser.add_argument("system", nargs="?", choices=SYSTEMS, help=argparse.SUPPRESS)  # of one form, in this process
    parser.add_argument("form", nargs="?", choices=FORMS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.form:
        print(tokens_per_second(given.system, given.form, given.threads, given.peer))
    else:
        main(given.threads, given.peer)
