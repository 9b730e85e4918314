"""Random reassignments and resamples, the same for every comparison."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pipeline_lib.metrics.intervals import resamples
from pipeline_lib.metrics.ngrams import ngram_ids
from pipeline_lib.text.ragged import Ragged

WORD = 64  # trials packed into one integer


GRAMS = 8_192  # n-grams whose trials are unpacked at once: 8 MB for 1000 trials


class Draws(Protocol):
    """The same draws for every comparison."""

    centred: bool  # whether resampled differences scatter around 0 already

    def sums(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn (n, P) of two systems into (trials, P) sums of each."""
        ...

    def kinds(self, occurrences: "Occurrences") -> tuple[np.ndarray, np.ndarray]:
        """Count (trials,) how many different n-grams each of two systems has."""
        ...


@dataclass(frozen=True)
class Occurrences:
    """The n-grams that occur in each dialogue of each of two systems, sorted by n-gram, each once."""

    dialogue: np.ndarray  # (M,) int64
    second: np.ndarray  # (M,) bool, of the second system
    start: np.ndarray  # (G,) int64, where an n-gram's occurrences begin

    @classmethod
    def of(cls, first: Ragged, second: Ragged, order: int, tokens: int, dialogue: np.ndarray) -> "Occurrences":
        """Find the n-grams of (n) texts of either system; ``dialogue`` is (n,), the number of each one's dialogue."""
        n = int(dialogue.max()) + 1
        both = Ragged.of_lengths(
            np.concatenate([first.ids, second.ids]), np.concatenate([first.lengths, second.lengths])
        )
        grams, text, _ = ngram_ids(both, order, tokens)
        key = np.unique(grams * (2 * n) + np.concatenate([dialogue, n + dialogue])[text])
        gram, owner = np.divmod(key, 2 * n)
        return cls(owner % n, owner >= n, np.unique(gram, return_index=True)[1])

    def count_present(self, present: Any) -> np.ndarray:
        """Count (64 · words,) n-grams of which at least one occurrence is present.

        Args:
            present: slice of occurrences -> (…, words) uint64, one bit per trial.
        """
        stops = np.append(self.start[1:], len(self.dialogue))
        total = np.zeros(WORD * present(slice(0)).shape[-1], np.int64)
        for low in range(0, len(self.start), GRAMS):
            start, stop = self.start[low : low + GRAMS], stops[min(low + GRAMS, len(stops)) - 1]
            bits = np.bitwise_or.reduceat(present(slice(start[0], stop)), start - start[0], axis=0)
            total += np.unpackbits(bits.view(np.uint8), axis=1).sum(axis=0, dtype=np.int64)
        return total


class Swaps:
    """Approximate randomisation: in each trial each dialogue changes sides with probability one half."""

    centred = True

    def __init__(self, n: int, trials: int, seed: int) -> None:
        self.trials = trials
        words = -(-trials // WORD)
        self._bits = np.random.default_rng(seed).integers(0, 2**64, (n, words), np.uint64)

    def sums(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        moved = np.concatenate([unpacked @ (second - first) for unpacked in self._unpacked()])[: self.trials]
        return first.sum(axis=0) + moved, second.sum(axis=0) - moved

    def kinds(self, occurrences: Occurrences) -> tuple[np.ndarray, np.ndarray]:
        return _kinds(occurrences, self._bits, np.bitwise_xor, self.trials)  # a swapped dialogue leaves its side

    def _unpacked(self) -> Iterator[np.ndarray]:
        for word in range(self._bits.shape[1]):
            column = np.ascontiguousarray(self._bits[:, word : word + 1])
            yield np.unpackbits(column.view(np.uint8), axis=1).T.astype(np.float64)


class Resamples:
    """Paired bootstrap: in each trial n dialogues are drawn with replacement, the same for both systems."""

    centred = False

    def __init__(self, n: int, trials: int, seed: int) -> None:
        self.trials = trials
        drawn = resamples(n, trials, np.random.default_rng(seed))
        self._counts = np.concatenate([chunk.astype(np.uint16) for chunk in drawn])
        padded = np.zeros((n, -(-trials // WORD) * WORD), bool)
        padded[:, :trials] = self._counts.T > 0
        self._bits = np.packbits(padded, axis=1).view(np.uint64)

    def sums(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        both = np.concatenate([first, second], axis=1)
        chunks = (self._counts[start : start + WORD] for start in range(0, self.trials, WORD))
        sums = np.concatenate([chunk.astype(np.float64) @ both for chunk in chunks])
        return sums[:, : first.shape[1]], sums[:, first.shape[1] :]

    def kinds(self, occurrences: Occurrences) -> tuple[np.ndarray, np.ndarray]:
        return _kinds(occurrences, self._bits, np.bitwise_and, self.trials)


def _kinds(occurrences: Occurrences, bits: np.ndarray, joined: np.ufunc, trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Count the n-grams of each side in each trial, of (n, words) bits of dialogues joined with those of a side."""

    def on_side(other: bool) -> Any:
        own = np.where(occurrences.second == other, np.uint64(2**64 - 1), np.uint64(0))[:, None]
        return lambda part: joined(bits[occurrences.dialogue[part]], own[part])

    here, there = (occurrences.count_present(on_side(other))[:trials] for other in (False, True))
    return here, there
