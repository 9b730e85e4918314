"""The generated corpus `personas`: dialogues of two users whose styles and facts are known."""

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline_lib.config.corpora import Source
from pipeline_lib.config.personas import Personas
from pipeline_lib.corpora.drawing import splits
from pipeline_lib.corpora.persona_truth import PersonaTruth
from pipeline_lib.schemas.dialogues import DIALOGUES


def read(files: list[Path], source: Source, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Read all dialogues in one batch; the same settings give the same bytes. ``files`` and ``skipped`` are unused."""
    assert source.personas is not None  # the configuration checks it
    yield generate(source.personas)


def generate(settings: Personas) -> pa.RecordBatch:
    """Generate `DIALOGUES`; ``label`` is the 0-based number of the user who speaks, ``speaker`` the name."""
    rng, truth = random.Random(settings.seed), PersonaTruth()
    rows: list[dict[str, Any]] = []
    for number, split in enumerate(splits(settings.dialogues, settings.validation, settings.test, rng)):
        users = _two_users(truth, rng)
        fewest, most = settings.turns
        text = ""
        for turn in range(fewest + int(rng.random() * (most - fewest + 1))):
            user = users[turn % 2]
            before = truth.language.parse(text)
            text = truth.opening(user, rng) if before is None else truth.sample(before, user, rng)
            rows.append(
                {
                    "dialogue_id": f"{number:06d}",
                    "turn": turn,
                    "speaker": f"user{user:02d}",
                    "text": text,
                    "split": split,
                    "label": user,
                }
            )
    return pa.RecordBatch.from_pylist(rows, schema=DIALOGUES)


def _two_users(truth: PersonaTruth, rng: random.Random) -> tuple[int, int]:
    """Draw two different users by their activity."""
    activity = truth.language.activity.copy()
    first = _drawn(activity, rng)
    activity[first] = 0
    return first, _drawn(activity / activity.sum(), rng)


def _drawn(shares: np.ndarray, rng: random.Random) -> int:
    return min(bisect_right(np.cumsum(shares).tolist(), rng.random()), len(shares) - 1)
