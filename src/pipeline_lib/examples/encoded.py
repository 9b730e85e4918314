"""Examples as token ids in an Arrow file that jobs map into memory: a split is encoded once for all jobs of a corpus.

One uncompressed record batch, so that each column is one flat array which needs no copy. It is assembled from files on
disk, so that writing it takes no more memory than reading it does.
"""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.errors import REMAKE, PipelineError
from pipeline_lib.files.atomic import atomic
from pipeline_lib.files.formats import iter_parquet
from pipeline_lib.files.provenance import verify
from pipeline_lib.schemas.encoded import ENCODED
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.text.ids import Ids
from pipeline_lib.text.ragged import Ragged
from pipeline_lib.text.units import Units

SIDES = ("context", "response")
_IDS = "ids"  # in the metadata of the file


def encode_examples(examples: Path, units: Units, out: Path) -> None:
    """Write the examples of one split (`EXAMPLES`) as token ids (`ENCODED`), in their order.

    Raises:
        PipelineError: a file is missing or damaged.
    """
    parts = out.with_name(f".{out.name}.parts")
    shutil.rmtree(parts, ignore_errors=True)  # of a job that was killed
    parts.mkdir(parents=True)
    try:
        columns = _Columns(parts)
        for batch in iter_parquet(examples, EXAMPLES, ["example_id", *SIDES]):
            columns.append(batch, units)
        schema = ENCODED.with_metadata({_IDS: json.dumps(asdict(units.ids))})
        with atomic(out) as temporary, pa.ipc.new_file(temporary, schema) as writer:
            writer.write_batch(columns.assembled(schema))
    finally:
        shutil.rmtree(parts)


def read_encoded(path: Path) -> tuple[NDArray[np.int64], Ragged, Ragged, Ids]:
    """Map a file: example ids (n,), contexts, responses, and the ids of the tokens that are not words.

    Raises:
        PipelineError: the file is missing, damaged or of another schema.
    """
    verify(path)
    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as file:
            batch = file.get_batch(0)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, str(error)) from error
    if batch.schema != ENCODED:
        raise _damaged(path, f"columns {', '.join(batch.schema.names)}")
    context, response = (Ragged(batch[side].values.to_numpy(), batch[side].offsets.to_numpy()) for side in SIDES)
    try:
        ids = Ids(**json.loads(batch.schema.metadata[_IDS.encode()]))
    except (TypeError, KeyError, ValueError) as error:
        raise _damaged(path, f"no ids of padding, start and end: {error!r}") from error
    return batch["example_id"].to_numpy(), context, response, ids


class _Columns:
    """Growing columns on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ends = dict.fromkeys(SIDES, 0)
        for side in SIDES:
            self._append(f"{side} starts", np.zeros(1, np.int64))
            self._append(f"{side} ids", np.empty(0, np.int32))
        self._append("example_id", np.empty(0, np.int64))

    def append(self, batch: pa.RecordBatch, units: Units) -> None:
        self._append("example_id", batch["example_id"].to_numpy())
        for side in SIDES:
            texts = units.encode(batch[side])
            self._append(f"{side} ids", texts.ids)
            self._append(f"{side} starts", texts.offsets[1:] + self._ends[side])
            self._ends[side] += len(texts.ids)

    def assembled(self, schema: pa.Schema) -> pa.RecordBatch:
        """Return all of it as one record batch, memory-mapped."""
        sides = [
            pa.LargeListArray.from_arrays(
                self._mapped(f"{side} starts", pa.int64()), self._mapped(f"{side} ids", pa.int32())
            )
            for side in SIDES
        ]
        return pa.RecordBatch.from_arrays([self._mapped("example_id", pa.int64()), *sides], schema=schema)

    def _append(self, name: str, values: NDArray[np.integer]) -> None:
        with open(self._folder / name, "ab") as file:
            values.tofile(file)

    def _mapped(self, name: str, kind: pa.DataType) -> pa.Array:
        path = self._folder / name
        size = path.stat().st_size
        buffer = pa.memory_map(str(path)).read_buffer() if size else pa.py_buffer(b"")
        return pa.Array.from_buffers(kind, size // (kind.bit_width // 8), [None, buffer])


def _damaged(path: Path, found: str) -> PipelineError:
    return PipelineError(
        f"not a file of encoded examples: {found}",
        where=path,
        expected="an Arrow file written by this workflow",
        remedy=REMAKE,
    )
