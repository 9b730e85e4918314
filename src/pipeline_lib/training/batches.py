"""Mini-batches of pairs as token ids, and the order in which training sees them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline_lib import schema, storage
from pipeline_lib.errors import PipelineError
from pipeline_lib.models.base import Batch
from pipeline_lib.models.sharing import Share
from pipeline_lib.text.vocabulary import END_ID, START_ID, Vocabulary
from pipeline_lib.training.encoded import read_encoded

WINDOW = 1 << 20  # pairs shuffled together: 8 MB of row numbers, some 100 MB of a memory-mapped file
BLOCK = 256  # neighbouring pairs that stay in one window: 20 KB, worth a seek on any disk


class Texts:
    """Encoded texts of one side, flat: ``ids`` (sum of lengths,) and ``starts`` (n + 1,), perhaps memory-mapped."""

    def __init__(self, ids: NDArray[np.int32], starts: NDArray[np.int64]) -> None:
        self.ids, self.starts = ids, starts

    def __len__(self) -> int:
        return len(self.starts) - 1

    def lengths(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(B,) tokens of each text."""
        return self.starts[rows + 1] - self.starts[rows]

    def padded(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(B, longest) int64, padded with 0."""
        lengths = self.lengths(rows)
        columns = np.arange(lengths.max())
        inside = columns < lengths[:, None]
        positions = np.where(inside, self.starts[rows][:, None] + columns, 0)
        return np.where(inside, self.ids[positions], 0).astype(np.int64)


class PairDataset:
    """The pairs of one split as token ids, with the cluster of each pair where a system wants it."""

    def __init__(self, context: Texts, response: Texts, group: NDArray[np.int64] | None) -> None:
        self.context, self.response, self.group = context, response, group

    @classmethod
    def read(cls, pairs: Path, vocabulary: Vocabulary, clusters: Path | None = None) -> "PairDataset":
        """Read pairs (schema.PAIRS) and, where given, their clusters (schema.CLUSTERS), into memory.

        Raises:
            PipelineError: there are no pairs, or the clusters do not cover them.
        """
        table = storage.read_parquet(pairs, schema.PAIRS, ["pair_id", "context", "response"])
        _check_any(len(table), pairs)
        context, response = (Texts(*vocabulary.encode(table[side])) for side in ("context", "response"))
        return cls(context, response, _groups_of(table["pair_id"].to_numpy(), clusters))

    @classmethod
    def open(cls, encoded: Path, clusters: Path | None = None) -> "PairDataset":
        """Map a file of `training.encoded` into memory, where the kernel keeps of it what is in use.

        Raises:
            PipelineError: the file is damaged or empty, or the clusters do not cover it.
        """
        pair_id, context, response = read_encoded(encoded)
        _check_any(len(pair_id), encoded)
        return cls(Texts(*context), Texts(*response), _groups_of(pair_id, clusters))

    def __len__(self) -> int:
        return len(self.context)

    def targets(self, rows: NDArray[np.int64]) -> int:
        """Tokens that the pairs ``rows`` ask a decoder for, end tokens counted."""
        return int(self.response.lengths(rows).sum()) + len(rows)

    def batch(self, rows: NDArray[np.int64], share: Share | None = None) -> Batch:
        """Collate the pairs ``rows`` (B,), or this process's share of them."""
        if share is not None:
            rows = rows[share.rows.numpy()]
        words = self.response.padded(rows)
        lengths = self.response.lengths(rows)
        beside = np.zeros((len(rows), 1), dtype=np.int64)
        targets = np.concatenate([words, beside], 1)
        targets[np.arange(len(rows)), lengths] = END_ID
        return Batch(
            context=torch.from_numpy(self.context.padded(rows)),
            context_lengths=torch.from_numpy(self.context.lengths(rows)),
            inputs=torch.from_numpy(np.concatenate([beside + START_ID, words], 1)),
            targets=torch.from_numpy(targets),
            lengths=torch.from_numpy(lengths + 1),
            group=None if self.group is None else torch.from_numpy(self.group[rows]),
        )

    def by_length(self, batch_size: int, limit: int | None = None) -> Iterator[NDArray[np.int64]]:
        """Rows of the first ``limit`` pairs, sorted by length and cut into batches: for evaluation."""
        order = self.sorted_by_length(np.arange(min(len(self), limit or len(self))))
        yield from np.split(order, range(batch_size, len(order), batch_size))

    def sorted_by_length(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """``rows`` by the length of the response, then of the context."""
        return rows[np.lexsort((self.context.lengths(rows), self.response.lengths(rows)))]


class BatchOrder:
    """Which rows make up the batch of a training step: a function of seed and step, so that resuming needs no state.

    Each epoch is a fresh order. Blocks of neighbouring pairs are shuffled and fill windows; the pairs of a window are
    shuffled again. So a memory-mapped file is read a window at a time, and a split of no more than a window is shuffled
    as a whole. Stretches of ``bucket_batches`` batches are sorted by length before they are cut, so that a batch holds
    little padding, and the batches of a window are shuffled once more.
    """

    def __init__(self, dataset: PairDataset, batch_size: int, bucket_batches: int, seed: int) -> None:
        self._dataset, self._batch_size, self._seed = dataset, batch_size, seed
        self._stretch = batch_size * bucket_batches
        self._window = max(1, WINDOW // self._stretch) * self._stretch
        self.steps_per_epoch = -(-len(dataset) // batch_size)
        self._cut: tuple[int, int] = (-1, -1)
        self._batches = [np.empty(0, dtype=np.int64)]

    def rows(self, step: int) -> NDArray[np.int64]:
        """Rows of 0-based ``step``."""
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
        """The pairs of one window, in the order of the file."""
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


def _check_any(pairs: int, path: Path) -> None:
    if not pairs:
        raise PipelineError(
            "no pairs", where=path, expected="at least one pair", remedy="loosen `filtering:` for this corpus"
        )


def _groups_of(pair_ids: NDArray[np.int64], clusters: Path | None) -> NDArray[np.int64] | None:
    if clusters is None:
        return None
    table = storage.read_parquet(clusters, schema.CLUSTERS, ["pair_id", "group"])
    known, group = table["pair_id"].to_numpy(), table["group"].to_numpy()
    order = np.argsort(known)
    found = np.searchsorted(known, pair_ids, sorter=order).clip(max=len(known) - 1)
    if not np.array_equal(known[order[found]], pair_ids):
        raise PipelineError(
            "some pairs have no cluster",
            where=clusters,
            expected=f"one row for each of {len(pair_ids)} pairs",
            remedy="delete the file and run the same command again; it will be remade",
        )
    return group[order[found]].astype(np.int64)
