"""The examples of one split as token ids, collated into padded batches."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from pipeline_lib.compute.sharing import Share
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.batch import Batch, Graph, Response, Tokens
from pipeline_lib.examples.encoded import read_encoded
from pipeline_lib.examples.graphs import read_graph
from pipeline_lib.files.side_tables import joined
from pipeline_lib.text.ids import Ids
from pipeline_lib.text.ragged import Ragged
from pipeline_lib.text.units import Units

TEXTS = ("negative",)  # fields of a batch whose columns hold the units of a text


class ExampleDataset:
    """The examples of one split as token ids.

    Args:
        context: empty texts where the examples are sentences alone.
        response: as many.
        beside: what a system reads of each example beside its texts: (n,) or (n, K) int64 by the field of the batch.
        ids: ids of the tokens that are not words.
        graph: what is known of keywords, the same for all examples.
    """

    def __init__(
        self,
        context: Ragged,
        response: Ragged,
        beside: Mapping[str, NDArray[np.int64]] | None = None,
        ids: Ids = Ids(),  # noqa: B008 -- frozen
        graph: Graph | None = None,
    ) -> None:
        self.context, self.response, self.beside, self.ids, self.graph = context, response, beside or {}, ids, graph

    @classmethod
    def open(cls, encoded: Path, reads: Mapping[str, Path] | None = None) -> "ExampleDataset":
        """Map a file of `examples.encoded` into memory, where the kernel keeps of it what is in use.

        Args:
            reads: side tables by the field of the batch that each fills, which is also the name of its column;
                ``graph`` is one table for all examples.
        Raises:
            PipelineError: the file is damaged or empty, or a side table does not cover it.
        """
        example_id, context, response, ids = read_encoded(encoded)
        if not len(example_id):
            raise PipelineError(
                "no examples",
                where=encoded,
                expected="at least one example",
                remedy="loosen `filtering:` for this corpus",
            )
        files = dict(reads or {})
        graph = read_graph(files.pop("graph")) if "graph" in files else None
        beside = {name: joined(example_id, path, name) for name, path in files.items()}
        return cls(context, response, beside, ids, graph)

    @classmethod
    def of_sentences(cls, texts: Sequence[str], units: Units) -> "ExampleDataset":
        """Encode sentences, of tokens joined by one space, that are in no file."""
        nothing = Ragged(np.empty(0, np.int32), np.zeros(len(texts) + 1, np.int64))
        return cls(nothing, units.encode(pa.array(texts, pa.string())), ids=units.ids)

    def with_beside(self, **fields: NDArray[np.int64]) -> "ExampleDataset":
        """Replace what stands beside the same texts."""
        return ExampleDataset(self.context, self.response, {**self.beside, **fields}, self.ids, self.graph)

    def __len__(self) -> int:
        return len(self.context)

    @property
    def has_contexts(self) -> bool:
        """Tell whether the examples answer something; False for sentences alone."""
        return len(self.context.ids) > 0

    def targets(self, rows: NDArray[np.int64]) -> int:
        """Count the tokens that the examples ``rows`` ask a decoder for, including end tokens."""
        return int(self.response.lengths_of(rows).sum()) + len(rows)

    def batch(self, rows: NDArray[np.int64], share: Share | None = None) -> Batch:
        """Collate the examples ``rows`` (B,), or this process's share of them."""
        if share is not None:
            rows = rows[share.rows.numpy()]
        return Batch(
            response=self._response(rows),
            context=self._context(rows),
            graph=self.graph,
            **{name: self._beside(name, rows) for name in self.beside},
        )

    def _beside(self, name: str, rows: NDArray[np.int64]) -> Any:
        values = torch.from_numpy(self.beside[name][rows])
        if name not in TEXTS:
            return values
        lengths = (values != self.ids.pad).sum(1).clamp(min=1)
        return Tokens(values[:, : int(lengths.max())], lengths)

    def _response(self, rows: NDArray[np.int64]) -> Response:
        words, lengths = self.response.padded(rows, self.ids.pad), self.response.lengths_of(rows)
        beside = np.full((len(rows), 1), self.ids.pad)
        targets = np.concatenate([words, beside], 1)
        targets[np.arange(len(rows)), lengths] = self.ids.end
        inputs = np.concatenate([np.full_like(beside, self.ids.start), words], 1)
        return Response(torch.from_numpy(inputs), torch.from_numpy(targets), torch.from_numpy(lengths + 1))

    def _context(self, rows: NDArray[np.int64]) -> Tokens | None:
        """Return the contexts; None where the examples are sentences alone, whose contexts are empty."""
        if not self.has_contexts:
            return None
        return Tokens(
            torch.from_numpy(self.context.padded(rows, self.ids.pad)), torch.from_numpy(self.context.lengths_of(rows))
        )

    def by_length(self, batch_size: int, limit: int | None = None) -> Iterator[NDArray[np.int64]]:
        """Yield rows of the first ``limit`` examples, sorted by length and cut into batches: for evaluation."""
        order = self.sorted_by_length(np.arange(min(len(self), limit or len(self))))
        yield from np.split(order, range(batch_size, len(order), batch_size))

    def sorted_by_length(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sort ``rows`` by the length of the response, then of the context."""
        return rows[np.lexsort((self.context.lengths_of(rows), self.response.lengths_of(rows)))]
