"""Small training jobs of PersonaWAE and what it is compared with: dialogues of two speakers, sizes, a job that dies."""

import os
import signal
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline_lib.config.networks import Dialogue
from pipeline_lib.config.training import Linear, Optimiser, PhaseSettings, Training
from pipeline_lib.examples.batch import Batch
from pipeline_lib.examples.encoded import encode_examples
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.models.persona_wae import PersonaWAE
from pipeline_lib.models.system import Phase
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.users import user_words_schema, users_schema
from pipeline_lib.schemas.vocabulary import vocabulary_schema
from pipeline_lib.text.words import Words

EXAMPLES_MADE, USERS, TURN = 40, 5, 4
KILLED = "unit.personal_jobs:Killed"
KILL = "KILL_PERSONA_IN"  # environment: `critic:17` has the process killed as the 17th update of that phase begins
NETWORK = Dialogue(hidden=6, latent=4, user=5, dropout=0.3, initial_range=None)
SETTINGS = Training(
    batch_size=4,
    epochs=100,
    max_steps=16,
    optimiser=Optimiser(kind="sgd", learning_rate=0.5, clip=1.0),
    annealing=Linear(kind="linear", steps=10),
    validate_every=5,
    checkpoint_every=3,
    device="cpu",
    select="last",
)
WASSERSTEIN = SETTINGS.model_copy(
    update={
        "phases": {
            "generator": PhaseSettings(optimiser=Optimiser(kind="rmsprop", learning_rate=1e-3, clip=None)),
            "critic": PhaseSettings(optimiser=Optimiser(kind="adam", learning_rate=3e-3, clip=None), updates=5),
        }
    }
)
_begun: Counter[str] = Counter()


class Killed(PersonaWAE):
    """PersonaWAE, whose process dies where the environment says."""

    def phases(self) -> list[Phase]:
        return [_watched(phase) for phase in super().phases()]


def _watched(phase: Phase) -> Phase:
    def objective(batch: Batch, weight: float, generator: object) -> object:
        _begun[phase.name] += 1
        if os.environ.get(KILL) == f"{phase.name}:{_begun[phase.name]}":
            os.kill(os.getpid(), signal.SIGKILL)
        return phase.objective(batch, weight, generator)

    return Phase(phase.name, phase.parameters, objective, shared=phase.shared, fresh=phase.fresh)


def write_dialogues(folder: Path) -> Path:
    """Write examples of two turns, a vocabulary, and who responds with which words; gives ``folder``."""
    rng = np.random.default_rng(0)
    tokens = ["<pad>", "<unk>", "<s>", "</s>", "<turn>", *(f"w{i}" for i in range(25))]
    vectors = rng.normal(size=(30, 8)).tolist()
    words = {"token_id": range(30), "token": tokens, "count": [1] * 30, "known": [True] * 30, "vector": vectors}
    write_parquet(folder / "words.parquet", pa.table(words), vocabulary_schema(8))

    def turn() -> str:
        return " ".join(f"w{i}" for i in rng.integers(0, 25, rng.integers(1, 6)))

    n = EXAMPLES_MADE
    examples = {
        "example_id": range(n),
        "dialogue_id": ["d"] * n,
        "turn": range(n),
        "context": [f"{turn()} <turn> {turn()}" for _ in range(n)],
        "response": [turn() for _ in range(n)],
        "user": [None] * n,
        "label": [None] * n,
    }
    write_parquet(folder / "examples.parquet", pa.table(examples), EXAMPLES)
    encode_examples(folder / "examples.parquet", Words.read(folder / "words.parquet"), folder / "train.arrow")
    users = rng.integers(0, USERS + 1, n).tolist()
    floors, speakers = rng.integers(0, 2, (n, 2)).tolist(), rng.integers(0, USERS + 1, (n, 2)).tolist()
    responding = {"example_id": range(n), "user": users, "floors": floors, "speakers": speakers}
    write_parquet(folder / "responding.parquet", pa.table(responding, schema=users_schema(2)), users_schema(2))
    profiles = [[5 + user, 6 + user, 0] for user in users]
    columns = {"example_id": range(n), "profile": profiles}
    write_parquet(folder / "profiles.parquet", pa.table(columns, schema=user_words_schema(3)), user_words_schema(3))
    return folder


def read_by(folder: Path) -> dict[str, Path]:
    """Return the tables that PersonaWAE reads."""
    return {field: folder / "responding.parquet" for field in ("user", "floors")}
