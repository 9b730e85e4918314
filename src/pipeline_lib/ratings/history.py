"""What the one who responds said in training, for raters who judge whether a response fits its user."""

from pathlib import Path

import numpy as np

from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.examples import EXAMPLES


def histories(examples: Path, train: Path, most: int, seed: int) -> dict[int, list[str]]:
    """Draw training utterances of each example's responder.

    Args:
        examples, train: files of `EXAMPLES`.
        most: different utterances of a user at most; each of a user's examples shows the same ones.
    Returns:
        Utterances by example id, none for a responder who is not named or says nothing in training.
    """
    said: dict[str, dict[str, None]] = {}  # dictionaries as sets that keep the order
    spoken = read_parquet(train, EXAMPLES, ["user", "response"])
    for user, text in zip(spoken["user"].to_pylist(), spoken["response"].to_pylist(), strict=True):
        if user is not None:
            said.setdefault(user, {})[text] = None
    asked = read_parquet(examples, EXAMPLES, ["example_id", "user"])
    responders = asked["user"].to_pylist()
    shown = {user: _drawn(list(said.get(user, ())), most, seed) for user in dict.fromkeys(responders)}
    return {example: shown[user] for example, user in zip(asked["example_id"].to_pylist(), responders, strict=True)}


def _drawn(texts: list[str], most: int, seed: int) -> list[str]:
    order = np.random.default_rng(seed).permutation(len(texts))[:most]
    return [texts[i] for i in sorted(order)]
