"""Held-out examples that the training split has word for word: counted, or dropped by `filtering.held_out`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.database import load_texts, open_database
from pipeline_lib.files.formats import iter_parquet, parquet_writer
from pipeline_lib.schemas.examples import EXAMPLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Overlap:
    """Numbers of held-out examples, each repetition counted."""

    pairs_in_training: int  # a training example has the same context and response
    contexts_in_training: int  # a training example has the same context


class TrainingTexts:
    """The texts of the training examples, for lookups."""

    def __init__(self, database: "DuckDBPyConnection") -> None:
        self._database = database

    def has_pairs(self, batch: pa.RecordBatch) -> NDArray[np.bool_]:
        """Mark the examples of a batch whose context and response a training example has: (N)."""
        return self._has(batch, "context", "response")

    def has_contexts(self, batch: pa.RecordBatch) -> NDArray[np.bool_]:
        """Mark the examples of a batch whose context a training example has: (N).

        An empty context, that of a sentence alone, says nothing: there the sentence decides.
        """
        is_text = pc.not_equal(batch["context"], "").to_numpy(zero_copy_only=False)
        return np.where(is_text, self._has(batch, "context"), self.has_pairs(batch))

    def _has(self, batch: pa.RecordBatch, *columns: str) -> NDArray[np.bool_]:
        rows = {"row": np.arange(len(batch))} | {column: batch[column] for column in columns}
        self._database.register("looked_up", pa.table(rows))
        query = f"SELECT row FROM looked_up SEMI JOIN training USING ({', '.join(columns)})"
        found = np.zeros(len(batch), bool)
        found[self._database.execute(query).fetchnumpy()["row"]] = True
        return found


@contextmanager
def training_texts(train: Path, scratch: Path) -> Iterator[TrainingTexts]:
    """Load the training examples.

    Args:
        train: a file of `EXAMPLES`.
        scratch: a folder for what memory does not hold, emptied before and removed afterwards.
    Raises:
        PipelineError: the file is missing, damaged or of another schema; the disk is full.
    """
    with open_database(scratch) as database:
        load_texts(database, "training", train)
        yield TrainingTexts(database)


def select_unseen(examples: Path, train: Path, part: str, out: Path) -> None:
    """Copy the held-out examples that training lacks.

    Args:
        examples, train: files of `EXAMPLES`, as filtering leaves them.
        part: unseen_pairs or unseen_contexts, what training lacks.
        out: where the examples go, of `EXAMPLES`.
    Raises:
        PipelineError: training has all of them.
    """
    number = 0
    scratch = out.with_name(f".{out.name}.duckdb")
    with training_texts(train, scratch) as training, parquet_writer(out, EXAMPLES) as writer:
        has = training.has_pairs if part == "unseen_pairs" else training.has_contexts
        for batch in iter_parquet(examples, EXAMPLES):
            unseen = batch.filter(pa.array(~has(batch)))
            number += len(unseen)
            if len(unseen):
                writer.write_batch(unseen)
        if not number:
            raise PipelineError(
                f"every example is in training ({part})",
                where=examples,
                expected="an example that training lacks, for the tables that show these alone",
                remedy="take such splits (`…_unseen_…`) out of `splits:` of the tables",
            )


def count_overlap(examples: Path, training: TrainingTexts) -> Overlap:
    """Count the examples of a file of `EXAMPLES` that training has."""
    pairs = contexts = 0
    for batch in iter_parquet(examples, EXAMPLES, ["context", "response"]):
        pairs += int(training.has_pairs(batch).sum())
        contexts += int(training.has_contexts(batch).sum())
    return Overlap(pairs, contexts)
