"""Small training jobs run as the workflow runs them, and what can be seen of them from outside."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from pipeline_lib.config.networks import Recurrent, Sizes
from pipeline_lib.config.training import Linear, Training
from pipeline_lib.examples.encoded import encode_examples
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.vocabulary import vocabulary_schema
from pipeline_lib.text.words import Words

SEPACVAE = "pipeline_lib.models.sepacvae:SepaCVAE"
SCRIPT = Path(__file__).parents[2] / "workflow/scripts/train_model.py"
NETWORK = Recurrent(hidden=6, latent=4, bow_hidden=8)
# 117 steps: the last one is no checkpoint
SETTINGS = Training(
    batch_size=4,
    epochs=11.7,
    annealing=Linear(kind="linear", steps=60),
    validate_every=13,
    checkpoint_every=10,
    device="cpu",
)


def write_corpus(folder: Path) -> Path:
    """Forty examples, encoded too, and a vocabulary; gives ``folder``."""
    random = torch.Generator().manual_seed(0)
    tokens = ["<pad>", "<unk>", "<s>", "</s>", *(f"w{i}" for i in range(26))]
    vectors = torch.randn(30, 8, generator=random).tolist()
    words = {"token_id": range(30), "token": tokens, "count": [1] * 30, "known": [True] * 30, "vector": vectors}
    write_parquet(folder / "words.parquet", pa.table(words), vocabulary_schema(8))

    def text(i: int, side: int) -> str:
        return " ".join(f"w{(7 * i + 3 * j + side) % 26}" for j in range(1 + (i + side) % 7))

    examples = {
        "example_id": range(40),
        "dialogue_id": ["d"] * 40,
        "turn": range(40),
        "context": [text(i, 0) for i in range(40)],
        "response": [text(i, 5) for i in range(40)],
        "user": [None] * 40,
        "label": [None] * 40,
    }
    write_parquet(folder / "examples.parquet", pa.table(examples), EXAMPLES)
    encode_examples(folder / "examples.parquet", Words.read(folder / "words.parquet"), folder / "train.arrow")
    return folder


def start(
    corpus: Path,
    out: Path,
    settings: Training = SETTINGS,
    options: dict[str, Any] | None = None,
    processes: int = 1,
    model: str = SEPACVAE,
    first: Path | None = None,
    environment: dict[str, str] | None = None,
    network: Sizes = NETWORK,
    reads: Mapping[str, Path] | None = None,
) -> subprocess.Popen[str]:
    """Train a system on `write_corpus`'s corpus; ``first`` is a trained model that it starts from."""
    description = {
        "model": model,
        "options": ({"groups": 2} if model == SEPACVAE else {}) | (options or {}),
        "network": network.model_dump(),
    }
    arguments = {
        "--train": corpus / "train.arrow",
        "--validation": corpus / "train.arrow",
        "--vocabulary": corpus / "words.parquet",
        "--description": json.dumps(description),
        "--settings": settings.model_dump_json(),
        "--seed": 1,
        "--code": "0",
        "--state": out / "state",
        "--tensorboard": out / "tensorboard",
        "--model": out / "model.safetensors",
        "--history": out / "history.jsonl",
        "--summary": out / "summary.json",
    }
    launch = ["--gpu", processes, "--nodes", 1, "--threads", 1, "--device", settings.device, SCRIPT]
    given = [
        "--reads",
        *(f"{field}={path}" for field, path in (reads or {}).items()),
        "--starts-from",
        *([first] if first else []),
        *(part for example in arguments.items() for part in example),
    ]
    command = [sys.executable, "-m", "pipeline_lib.compute.launch", *launch, *given]
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    known = os.environ | {"PYTHONPATH": path} | (environment or {})
    return subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True, env=known)


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for a job, which must succeed."""
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors


def steps_recorded(out: Path) -> int:
    """Steps that the running job's history shows on disk, whole lines only."""
    lines = [line for path in out.glob("state/*/history.jsonl") for line in path.read_text().splitlines()]
    return max((json.loads(line)["step"] for line in lines if line.endswith("}")), default=0)


def has_reached(out: Path, step: int) -> bool:
    """Whether the running job's history shows ``step``."""
    return any(out.glob("state/*")) and steps_recorded(out) >= step


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Poll until ``condition`` holds, while the job goes on."""
    while not condition():
        assert process.poll() is None, "the job ended before it could be killed"
        time.sleep(0.001)


def without_speed(history: Path) -> list[dict[str, Any]]:
    """Records of a finished job, but for what differs from run to run."""
    records = [json.loads(line) for line in history.read_text().splitlines()]
    return [{k: v for k, v in record.items() if k != "tokens_per_s"} for record in records]
