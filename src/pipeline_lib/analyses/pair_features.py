"""Surface features of pairs of sentences (Socher et al. 2011, as in the evaluation code of skip-thought vectors)."""

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def pair_features(first: Sequence[str], second: Sequence[str]) -> NDArray[np.float64]:
    """Return six features of each pair, (N, 6).

    With the numbers of both sentences as sets: whether these are equal; whether they are equal and not empty; whether
    one contains the other. The words that both have, as a share of the first's and of the second's distinct words. The
    mean of the two ratios of their lengths.

    Args:
        first, second: (N) texts of one or more tokens joined by one space.
    """
    return np.array([_features(a.split(" "), b.split(" ")) for a, b in zip(first, second, strict=True)], np.float64)


def _features(a: Sequence[str], b: Sequence[str]) -> list[float]:
    words, others = set(a), set(b)
    numbers, other_numbers = ({word for word in each if _is_number(word)} for each in (words, others))
    common, ratio = len(words & others), len(a) / len(b)
    return [
        numbers == other_numbers,
        numbers == other_numbers and len(numbers) > 0,
        numbers <= other_numbers or other_numbers <= numbers,
        common / len(words),
        common / len(others),
        (ratio + 1 / ratio) / 2,
    ]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return len(word) == 1 and unicodedata.numeric(word, None) is not None
    return True
