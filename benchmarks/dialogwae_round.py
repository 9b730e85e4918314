"""A round of DialogWAE with a Gaussian mixture against the released code, at the sizes that its configs.py has.

A round updates autoencoder, generator and five times the critic; the four further updates of the critic have batches of
their own. Batch 32, 10,000 words, embeddings and z of 200, 300 hidden units, three Gaussians, SGD of 1.0 clipped at 1,
RMSprop of 5e-5 and 1e-5. Contexts have nine turns, those of its `diaglen` of 10 without the response. Lengths are drawn
like those of DailyDialog (log-normal, median 12 tokens, at most 38, which with start and end are its `maxlen` of 40).
Words are random.

    python benchmarks/dialogwae_round.py --peer <folder>  # a copy of github.com/guxd/DialogWAE
    python benchmarks/dialogwae_round.py  # ours alone

Both get the same 768 dialogues in 24 batches, made beforehand. Ours sorts eight batches by length, as the preset for
DailyDialog does; the peer takes them as they come, since its loader sorts by the number of turns alone. A process
measures 24 rounds after a warm-up of six. In these, each batch is once that of autoencoder and generator and five times
one of the critic, so all forms read the same tokens. Each form runs in processes of its own, the forms in turn, so that
a drift of the machine's speed meets all; about ten minutes.

`ours` is DiaWAE-GMD, whose decoder has as many units as its encoders. The peer's has 500, as its first state is z
beside the context's encoding; `ours, decoder of 500` has as many. Other differences remain:

- ours has a response encoder of its own, reads contexts in both directions, and maps z and context to the first state;
- the peer's batch norm is layer norm in ours, and its optimisers leave its mixture out;
- the peer encodes a response with its end token, ours without.

`peer` runs unedited, as its train.py drives it; `peer, memory kept` keeps freed memory as our training does, which
changes the allocator alone. Its loader and word vectors are left out. It was written for torch 0.4, where a gradient of
shape (1,) suited a scalar loss, so the constants 1 and -1 that it hands to `backward` are replaced by scalars.
"""

import argparse
import importlib
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from drawn import TURN, contexts, log_normal, texts, vocabulary
from measure import Run, head, python, row
from torch import Tensor
from torch.nn import functional as F

from pipeline_lib.compute.device import keep_freed_memory, seeded
from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.config.networks import Dialogue
from pipeline_lib.config.training import Optimiser, PhaseSettings, Training
from pipeline_lib.examples.batch import Batch
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.examples.order import BatchOrder
from pipeline_lib.models.layers.gated import GatedDecoder
from pipeline_lib.models.layers.turns import by_turn
from pipeline_lib.models.system import create, given
from pipeline_lib.training.phases import trained_phases

BATCH, TURNS, LONGEST = 32, 9, 38
VOCABULARY, EMBEDDING, HIDDEN, LATENT, DROPOUT = 10_000, 200, 300, 200, 0.5
UPDATES, BATCHES, BUCKET = 5, 24, 8  # no common factor of the first two: else not every batch comes first
WARM_UP, REPEATS = 6, 5
FORMS = ("ours", "ours, decoder of 500", "peer", "peer, memory kept")

Round = Callable[[int], None]  # makes the round of a number
T = TypeVar("T")


def dialogues(random: np.random.Generator, n: int) -> ExampleDataset:
    """Draw contexts and responses of random words."""
    lengths = log_normal(random, (n, TURNS + 1), median=12, spread=0.65, longest=LONGEST)
    read, said = contexts(random, lengths[:, :TURNS], VOCABULARY), texts(random, lengths[:, TURNS], VOCABULARY)
    return ExampleDataset(read, said)


def made_batches(bucket: int) -> list[Batch]:
    """Cut the same dialogues into batches, ``bucket`` of which are sorted together by length."""
    data = dialogues(np.random.default_rng(0), BATCH * BATCHES)
    order = BatchOrder(data, BATCH, bucket, seed=0)
    return [data.batch(order.rows(step)) for step in range(BATCHES)]


def of_round(batches: Sequence[T], number: int) -> list[T]:
    """Return a round's batches; over as many rounds as there are batches, each comes first once."""
    return [batches[(UPDATES * number + i) % len(batches)] for i in range(UPDATES)]


def ours(decoder: int) -> Round:
    """Make the rounds of a training job whose decoder has so many units."""
    sizes = Dialogue(hidden=HIDDEN, latent=LATENT, dropout=DROPOUT, initial_range=None)
    path, options = "pipeline_lib.models.persona_wae:PersonaWAE", {"personal_prior": False, "personal_decoder": False}
    model = create(path, options, vocabulary(VOCABULARY, EMBEDDING), sizes)
    if decoder != HIDDEN:
        model.decoder = GatedDecoder(EMBEDDING, decoder, 0, model.condition_size + LATENT, VOCABULARY)
    settings = Training(
        optimiser=Optimiser(kind="sgd", learning_rate=1.0, clip=1.0),
        phases={
            "generator": PhaseSettings(optimiser=Optimiser(kind="rmsprop", learning_rate=5e-5, clip=None)),
            "critic": PhaseSettings(
                optimiser=Optimiser(kind="rmsprop", learning_rate=1e-5, clip=None), updates=UPDATES
            ),
        },
    )
    phases, ranks, batches = trained_phases(model, settings), Ranks(), made_batches(BUCKET)
    model.train()

    def step(number: int) -> None:
        drawn, update = of_round(batches, number), 0
        for phase in phases:
            for batch in drawn[: phase.updates]:
                noise = seeded(torch.device("cpu"), number, update)
                phase.update(phase.objective(batch, 1.0, noise).loss, 0.0, ranks)
                update += 1

    return step


def peer(folder: Path) -> Round:
    """Make the rounds of the released code's train.py."""
    sys.path.insert(0, str(folder))
    config = importlib.import_module("configs").config_DialogWAE_GMP()
    models = importlib.import_module("models")
    models.dialogwae.one, models.dialogwae.minus_one = torch.tensor(1.0), torch.tensor(-1.0)  # they had shape (1,)
    model = models.DialogWAE_GMP(config, VOCABULARY)
    batches = [as_peer_reads(batch, config["maxlen"]) for batch in made_batches(bucket=1)]

    def step(number: int) -> None:
        drawn = of_round(batches, number)
        model.train()
        model.train_AE(*drawn[0])
        model.train_G(*drawn[0])
        for batch in drawn:
            model.train_D(*batch)

    return step


def as_peer_reads(batch: Batch, longest: int) -> tuple[Tensor, ...]:
    """Return contexts, their numbers of turns, lengths and floors of turns, responses, their lengths.

    The peer's loader pads every turn to ``longest``, of which its train.py drops the start token.
    """
    turns, response = by_turn(given(batch.context), TURN, 0), batch.response
    contexts = F.pad(turns.ids, (0, longest - 1 - turns.ids.shape[-1]))
    floors = (torch.arange(TURNS, 0, -1) % 2 == 0).long().repeat(len(batch), 1)  # as ours takes them where it has none
    responses = torch.cat([response.inputs[:, :1], response.targets], 1)
    return contexts, torch.full((len(batch),), TURNS), turns.lengths, floors, responses, response.lengths + 1


def seconds(form: str, threads: int, folder: Path | None) -> float:
    """Measure a form: seconds of a round, averaged over all batches."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    if form != "peer":
        keep_freed_memory()  # as the training script does
    step = peer(folder) if folder else ours(HIDDEN + LATENT if form == "ours, decoder of 500" else HIDDEN)
    for number in range(WARM_UP):
        step(number)
    started = time.perf_counter()
    for number in range(WARM_UP, WARM_UP + BATCHES):
        step(number)
    return (time.perf_counter() - started) / BATCHES


def main(threads: int, folder: Path | None) -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the peer would take any GPU
    forms = FORMS if folder else FORMS[:2]
    found: dict[str, list[Run]] = {form: [] for form in forms}
    for _ in range(REPEATS):
        for form in forms:
            where = ["--peer", str(folder)] if form.startswith("peer") else []
            found[form].append(python(__file__, "--threads", str(threads), *where, form))
    times = {form: [float(run.output) for run in runs] for form, runs in found.items()}
    median = {form: statistics.median(each) for form, each in times.items()}
    head(f"a round of DialogWAE, batch 32, threads: {threads}", "s, median", "least to most", "times peer", "peak MiB")
    for form in forms:
        speed = f"{median['peer'] / median[form]:.2f}" if folder else "–"
        peak = max(run.peak for run in found[form])
        row(form, f"{median[form]:.3f}", f"{min(times[form]):.3f}–{max(times[form]):.3f}", speed, f"{peak:.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", type=Path, metavar="FOLDER", help="a copy of github.com/guxd/DialogWAE")
    parser.add_argument("form", nargs="?", choices=FORMS, help=argparse.SUPPRESS)  # of one form, in this process
    chosen = parser.parse_args()
    if chosen.form:
        print(seconds(chosen.form, chosen.threads, chosen.peer))
    else:
        main(chosen.threads, chosen.peer)
