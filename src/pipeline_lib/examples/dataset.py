"""The examples of one split as token ids, collated into padded batches."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline_lib.compute.sharing import Share
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.batch import Batch, Response, Tokens
from pipeline_lib.examples.encoded import read_encoded
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.clusters import CLUSTERS
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.text.ids import Ids
from pipeline_lib.text.units import Units


class Texts:
    """Encoded texts of one side, flat: ``ids`` (sum of lengths,) and ``starts`` (n + 1,), perhaps memory-mapped."""

    def __init__(self, ids: NDArray[np.int32], starts: NDArray[np.int64]) -> None:
        self.ids, self.starts = ids, starts

    def __len__(self) -> int:
        return len(self.starts) - 1

    def lengths(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(B,) tokens of each text."""
        return self.starts[rows + 1] - self.starts[rows]

    def padded(self, rows: NDArray[np.int64], pad: int) -> NDArray[np.int64]:
        """(B, longest) int64, padded with ``pad``."""
        lengths = self.lengths(rows)
        columns = np.arange(lengths.max())
        inside = columns < lengths[:, None]
        positions = np.where(inside, self.starts[rows][:, None] + columns, 0)
        return np.where(inside, self.ids[positions], pad).astype(np.int64)


class ExampleDataset:
    """The examples of one split as token ids, with the cluster of each example where a system wants it."""

    def __init__(
        self,
        context: Texts,
        response: Texts,
        group: NDArray[np.int64] | None,
        ids: Ids = Ids(),  # noqa: B008 -- frozen
    ) -> None:
        self.context, self.response, self.group, self.ids = context, response, group, ids

    @classmethod
    def read(cls, examples: Path, vocabulary: Units, clusters: Path | None = None) -> "ExampleDataset":
        """Read examples (EXAMPLES) and, where given, their clusters (CLUSTERS), into memory.

        Raises:
            PipelineError: there are no examples, or the clusters do not cover them.
        """
        table = read_parquet(examples, EXAMPLES, ["example_id", "context", "response"])
        _check_any(len(table), examples)
        context, response = (Texts(*vocabulary.encode(table[side])) for side in ("context", "response"))
        return cls(context, response, _groups_of(table["example_id"].to_numpy(), clusters))

    @classmethod
    def open(cls, encoded: Path, clusters: Path | None = None) -> "ExampleDataset":
        """Map a file of `training.encoded` into memory, where the kernel keeps of it what is in use.

        Raises:
            PipelineError: the file is damaged or empty, or the clusters do not cover it.
        """
        example_id, context, response = read_encoded(encoded)
        _check_any(len(example_id), encoded)
        return cls(Texts(*context), Texts(*response), _groups_of(example_id, clusters))

    def __len__(self) -> int:
        return len(self.context)

    def targets(self, rows: NDArray[np.int64]) -> int:
        """Tokens that the examples ``rows`` ask a decoder for, end tokens counted."""
        return int(self.response.lengths(rows).sum()) + len(rows)

    def batch(self, rows: NDArray[np.int64], share: Share | None = None) -> Batch:
        """Collate the examples ``rows`` (B,), or this process's share of them."""
        if share is not None:
            rows = rows[share.rows.numpy()]
        return Batch(
            response=self._response(rows),
            context=self._context(rows),
            group=None if self.group is None else torch.from_numpy(self.group[rows]),
        )

    def _response(self, rows: NDArray[np.int64]) -> Response:
        words, lengths = self.response.padded(rows, self.ids.pad), self.response.lengths(rows)
        beside = np.full((len(rows), 1), self.ids.pad)
        targets = np.concatenate([words, beside], 1)
        targets[np.arange(len(rows)), lengths] = self.ids.end
        inputs = np.concatenate([np.full_like(beside, self.ids.start), words], 1)
        return Response(torch.from_numpy(inputs), torch.from_numpy(targets), torch.from_numpy(lengths + 1))

    def _context(self, rows: NDArray[np.int64]) -> Tokens | None:
        """None where the examples are sentences alone, whose contexts are empty."""
        if not len(self.context.ids):
            return None
        return Tokens(
            torch.from_numpy(self.context.padded(rows, self.ids.pad)), torch.from_numpy(self.context.lengths(rows))
        )

    def by_length(self, batch_size: int, limit: int | None = None) -> Iterator[NDArray[np.int64]]:
        """Rows of the first ``limit`` examples, sorted by length and cut into batches: for evaluation."""
        order = self.sorted_by_length(np.arange(min(len(self), limit or len(self))))
        yield from np.split(order, range(batch_size, len(order), batch_size))

    def sorted_by_length(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """``rows`` by the length of the response, then of the context."""
        return rows[np.lexsort((self.context.lengths(rows), self.response.lengths(rows)))]


def _check_any(examples: int, path: Path) -> None:
    if not examples:
        raise PipelineError(
            "no examples", where=path, expected="at least one example", remedy="loosen `filtering:` for this corpus"
        )


def _groups_of(example_ids: NDArray[np.int64], clusters: Path | None) -> NDArray[np.int64] | None:
    if clusters is None:
        return None
    table = read_parquet(clusters, CLUSTERS, ["example_id", "group"])
    known, group = table["example_id"].to_numpy(), table["group"].to_numpy()
    order = np.argsort(known)
    found = np.searchsorted(known, example_ids, sorter=order).clip(max=len(known) - 1)
    if not np.array_equal(known[order[found]], example_ids):
        raise PipelineError(
            "some examples have no cluster",
            where=clusters,
            expected=f"one row for each of {len(example_ids)} examples",
            remedy="delete the file and run the same command again; it will be remade",
        )
    return group[order[found]].astype(np.int64)
