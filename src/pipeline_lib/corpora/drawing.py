"""Draws of the generated corpora, which give the same results in every version of Python.

Only `random.random` is promised to give the same numbers there; everything is drawn with it.
"""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def pick(rng: random.Random, items: Sequence[T]) -> T:
    """Draw one item."""
    return items[int(rng.random() * len(items))]


def splits(count: int, validation: float, test: float, rng: random.Random) -> list[str]:
    """Give each dialogue or meaning its split, of exact sizes, in random order; training has the rest."""
    held_out = [round(count * share) for share in (validation, test)]
    ordered = ["validation"] * held_out[0] + ["test"] * held_out[1]
    ordered += ["train"] * (count - len(ordered))
    return sorted(ordered, key=lambda _: rng.random())
