"""The order in which training sees the examples: a function of seed and step."""

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.examples.dataset import ExampleDataset

WINDOW = 1 << 20  # examples shuffled together: 8 MB of row numbers, some 100 MB of a memory-mapped file


BLOCK = 256  # neighbouring examples that stay in one window: 20 KB, worth a seek on any disk


class BatchOrder:
    """The rows of the batch of each training step: a function of seed and step, so that resuming needs no state.

    Each epoch is a fresh order. Blocks of neighbouring examples are shuffled and fill windows; the examples of a window
    are shuffled again. So a memory-mapped file is read a window at a time, and a split of no more than a window is
    shuffled as a whole. Stretches of ``bucket_batches`` batches are sorted by length before they are cut, so that a
    batch holds little padding, and the batches of a window are shuffled once more.
    """

    def __init__(self, dataset: ExampleDataset, batch_size: int, bucket_batches: int, seed: int) -> None:
        self._dataset, self._batch_size, self._seed = dataset, batch_size, seed
        self._stretch = batch_size * bucket_batches
        self._window = max(1, WINDOW // self._stretch) * self._stretch
        self.steps_per_epoch = -(-len(dataset) // batch_size)
        self._cut: tuple[int, int] = (-1, -1)
        self._batches = [np.empty(0, dtype=np.int64)]

    def rows(self, step: int) -> NDArray[np.int64]:
        """Return the rows of 0-based ``step``."""
        epoch, position = divmod(step, self.steps_per_epoch)
        window, position = divmod(position, self._window // self._batch_size)
        if (epoch, window) != self._cut:
            self._cut, self._batches = (epoch, window), self._cut_into_batches(epoch, window)
        return self._batches[position]

    def _cut_into_batches(self, epoch: int, window: int) -> list[NDArray[np.int64]]:
        random = np.random.default_rng([self._seed, epoch, window])
        rows = self._rows_of_window(epoch, window)
        order = rows[random.permutation(len(rows))]
        stretches = np.split(order, range(self._stretch, len(order), self._stretch))
        ordered = np.concatenate([self._dataset.sorted_by_length(stretch) for stretch in stretches])
        batches = np.split(ordered, range(self._batch_size, len(ordered), self._batch_size))
        return [batches[i] for i in random.permutation(len(batches))]

    def _rows_of_window(self, epoch: int, window: int) -> NDArray[np.int64]:
        """Return the examples of one window, in the order of the file."""
        n = len(self._dataset)
        if n <= self._window:
            return np.arange(n)
        blocks = np.random.default_rng(np.random.SeedSequence([self._seed, epoch], spawn_key=(1,))).permutation(
            -(-n // BLOCK)
        )
        ends = np.minimum((blocks + 1) * BLOCK, n) - blocks * BLOCK
        np.cumsum(ends, out=ends)  # where each shuffled block ends in the order of the epoch
        first, last = window * self._window, min((window + 1) * self._window, n)
        parts = []
        for i in range(int(np.searchsorted(ends, first, "right")), int(np.searchsorted(ends, last, "left")) + 1):
            shift = blocks[i] * BLOCK - (ends[i - 1] if i else 0)  # from a place in the epoch to a row of the file
            parts.append(np.arange(max(first, ends[i - 1] if i else 0), min(last, ends[i])) + shift)
        return np.sort(np.concatenate(parts))
