"""Fifty steps of every trained system on a corpus of random ids: losses, weights and responses, as plain values."""

import hashlib
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline_lib.compute.device import seeded
from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.config.networks import Recurrent
from pipeline_lib.config.training import Linear, Training
from pipeline_lib.decoding.greedy import Greedy
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.models.system import System, create
from pipeline_lib.text.ragged import Ragged
from pipeline_lib.training.loop import Trainer
from unit.model_fixtures import RELEASED, SmallUnits

WORDS, WIDTH, GROUPS, SEED = 60, 12, 4, 7
NETWORK = Recurrent(hidden=10, decoder_layers=2, latent=6, bow_hidden=9, prior_hidden=8)
SETTINGS = Training(
    batch_size=8,
    epochs=50,
    max_steps=50,
    annealing=Linear(kind="linear", steps=40),
    validate_every=20,
    checkpoint_every=1000,
    select="ppl",
    device="cpu",
)
# the eight systems of the SepaCVAE paper; K-, S- and A-CVAE+BOW differ by the clusters that they are given
SYSTEMS: dict[str, tuple[str, dict[str, Any], int]] = {
    "seq2seq": ("pipeline_lib.models.seq2seq:Seq2Seq", {}, 0),
    "cvae": ("pipeline_lib.models.cvae:CVAE", {}, 0),
    "cvae_bow": ("pipeline_lib.models.cvae:CVAE", {"bow": True}, 0),
    "k_cvae_bow": ("pipeline_lib.models.cvae:ClusterCVAE", {"groups": GROUPS}, 0),
    "s_cvae_bow": ("pipeline_lib.models.cvae:ClusterCVAE", {"groups": GROUPS}, 1),
    "a_cvae_bow": ("pipeline_lib.models.cvae:ClusterCVAE", {"groups": GROUPS}, 2),
    "sepacvae": ("pipeline_lib.models.sepacvae:SepaCVAE", {"groups": GROUPS, "noise": "shared"}, 0),
    "sepacvae_released": ("pipeline_lib.models.sepacvae:SepaCVAE", {"groups": GROUPS} | RELEASED, 0),
}


def machine() -> str:
    """What decides the last bits of a sum: another processor, or another torch, may round otherwise."""
    capability = torch.backends.cpu.get_cpu_capability()
    return f"torch {torch.__version__}, numpy {np.__version__}, {capability}, {platform.machine()}, {_processor()}"


def _processor() -> str:
    """The processor with its numbers: processors of two generations go by one name in virtual machines."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor()
    first = path.read_text(encoding="utf-8").split("\n\n")[0]
    said = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}
    parts = [f"{key} {said[key]}" for key in ("cpu family", "model", "stepping") if key in said]
    return ", ".join([said.get("model name", platform.processor()), *parts])


def record(system: str, folder: Path) -> dict[str, Any]:
    """Train one system for 50 steps on one thread in float32; what came of it."""
    torch.set_num_threads(1)
    path, options, clustering = SYSTEMS[system]
    torch.manual_seed(SEED)
    model = create(path, options, SmallUnits(_embeddings().numpy(), WORDS), NETWORK)
    losses = _recorded_losses(model)
    data = _dataset(64, 1, clustering), _dataset(24, 2, clustering)
    outcome = Trainer(model, *data, SETTINGS, SEED, folder / "state", folder / "tensorboard", Ranks()).run()
    model.load_state_dict(outcome.weights)
    model.eval()
    rows, greedy = np.arange(24), Greedy(model.ids, 12)
    with torch.no_grad():
        batch = data[1].batch(rows)
        found = model.likelihood(batch, seeded(torch.device("cpu"), SEED, 1))
        importance = model.importance_nll(batch, seeded(torch.device("cpu"), SEED, 2), 8)
        responses = {
            selection: model.generate(batch, greedy, selection, seeded(torch.device("cpu"), SEED, 3)).tokens.tolist()
            for selection in model.selections
        }
    return {
        "losses": losses,
        "best": [outcome.summary["best_step"], outcome.summary["best_value"]],
        "nll": float(found.nll.double().mean()),
        "kl": float(found.kl.double().mean()),
        "bound": float(found.bound.double().mean()),
        "importance": float(importance.double().mean()),
        "weights": digest(outcome.weights),
        "responses": hashlib.sha256(str(responses).encode()).hexdigest()[:16],
    }


def digest(weights: dict[str, torch.Tensor]) -> str:
    """16 hex digits of all bytes of all tensors, in the order of their names."""
    summed = hashlib.sha256()
    for name in sorted(weights):
        summed.update(name.encode())
        summed.update(weights[name].numpy().tobytes())
    return summed.hexdigest()[:16]


def _recorded_losses(model: System) -> list[float]:
    losses: list[float] = []
    objective = model.objective

    def recorded(*arguments: Any) -> Any:
        found = objective(*arguments)
        losses.append(float(found.loss.detach()))
        return found

    model.objective = recorded  # type: ignore[method-assign]
    return losses


def _embeddings() -> torch.Tensor:
    vectors = torch.from_numpy(np.random.default_rng(11).standard_normal((WORDS, WIDTH), np.float32))
    vectors[:4] = 0
    return vectors


def _dataset(n: int, seed: int, clustering: int) -> ExampleDataset:
    random = np.random.default_rng(seed)

    def texts() -> Ragged:
        lengths = random.integers(1, 10, n)
        starts = np.concatenate([[0], lengths.cumsum()])
        return Ragged(random.integers(4, WORDS, starts[-1]).astype(np.int32), starts)

    context, response = texts(), texts()
    return ExampleDataset(
        context, response, {"group": np.random.default_rng([seed, clustering]).integers(0, GROUPS, n)}
    )
