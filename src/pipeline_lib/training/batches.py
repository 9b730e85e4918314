"""Mini-batches of pairs: encoded once, bucketed by length, in an order that depends on seed and step alone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline_lib import schema, storage
from pipeline_lib.errors import PipelineError
from pipeline_lib.models.base import Batch
from pipeline_lib.text.vocabulary import END_ID, START_ID, Vocabulary


class Texts:
    """Encoded texts of one side, flat: ``ids`` (sum of lengths,) and ``starts`` (n + 1,)."""

    def __init__(self, ids: NDArray[np.int32], starts: NDArray[np.int64]) -> None:
        self.ids, self.starts = ids, starts
        self.lengths = np.diff(starts)

    def padded(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(B, longest) int64, padded with 0."""
        lengths = self.lengths[rows]
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
        """Read pairs (schema.PAIRS) and, where given, their clusters (schema.CLUSTERS).

        Raises:
            PipelineError: there are no pairs, or the clusters do not cover them.
        """
        table = storage.read_parquet(pairs, schema.PAIRS, ["pair_id", "context", "response"])
        if len(table) == 0:
            raise PipelineError(
                "no pairs", where=pairs, expected="at least one pair", remedy="loosen `filtering:` for this corpus"
            )
        group = None
        if clusters is not None:
            group = _groups_of(table["pair_id"].to_numpy(), clusters)
        context, response = (Texts(*vocabulary.encode(table[side])) for side in ("context", "response"))
        return cls(context, response, group)

    def __len__(self) -> int:
        return len(self.context.lengths)

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """Collate the pairs ``rows`` (B,)."""
        words = self.response.padded(rows)
        lengths = self.response.lengths[rows]
        beside = np.zeros((len(rows), 1), dtype=np.int64)
        targets = np.concatenate([words, beside], 1)
        targets[np.arange(len(rows)), lengths] = END_ID
        return Batch(
            context=torch.from_numpy(self.context.padded(rows)),
            context_lengths=torch.from_numpy(self.context.lengths[rows]),
            inputs=torch.from_numpy(np.concatenate([beside + START_ID, words], 1)),
            targets=torch.from_numpy(targets),
            lengths=torch.from_numpy(lengths + 1),
            group=None if self.group is None else torch.from_numpy(self.group[rows]),
        )

    def by_length(self, batch_size: int, limit: int | None = None) -> Iterator[NDArray[np.int64]]:
        """Rows of the first ``limit`` pairs, sorted by length and cut into batches: for evaluation."""
        order = self._sorted(np.arange(min(len(self), limit or len(self))))
        yield from np.split(order, range(batch_size, len(order), batch_size))

    def _sorted(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return rows[np.lexsort((self.context.lengths[rows], self.response.lengths[rows]))]


class BatchOrder:
    """Which rows make up the batch of a training step: a function of seed and step, so that resuming needs no state.

    Each epoch is a fresh permutation; stretches of ``bucket_batches`` batches are sorted by length before they are
    cut, so that a batch holds little padding, and the batches are shuffled again.
    """

    def __init__(self, dataset: PairDataset, batch_size: int, bucket_batches: int, seed: int) -> None:
        self._dataset, self._batch_size, self._seed = dataset, batch_size, seed
        self._stretch = batch_size * bucket_batches
        self.steps_per_epoch = -(-len(dataset) // batch_size)
        self._epoch, self._batches = -1, [np.empty(0, dtype=np.int64)]

    def rows(self, step: int) -> NDArray[np.int64]:
        """Rows of 0-based ``step``."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._cut(epoch)
        return self._batches[position]

    def _cut(self, epoch: int) -> list[NDArray[np.int64]]:
        random = np.random.default_rng([self._seed, epoch])
        order = random.permutation(len(self._dataset))
        stretches = np.split(order, range(self._stretch, len(order), self._stretch))
        ordered = np.concatenate([self._dataset._sorted(stretch) for stretch in stretches])
        batches = np.split(ordered, range(self._batch_size, len(ordered), self._batch_size))
        return [batches[i] for i in random.permutation(len(batches))]


def _groups_of(pair_ids: NDArray[np.int64], clusters: Path) -> NDArray[np.int64]:
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
