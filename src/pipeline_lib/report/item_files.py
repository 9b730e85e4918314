"""Every system's responses to the contexts of one split, packed for the explorer.

Texts are stored once and referred to by number: systems repeat themselves, and a search then reads each text once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import metadata_of, parquet_metadata, read_parquet
from pipeline_lib.report.script_data import packed
from pipeline_lib.schemas.items import is_for_tests
from pipeline_lib.schemas.responses import ORACLE, RESPONSES

# per item, a perplexity is that of its reference alone
PERPLEXITIES = {"ppl": "nll", "ppl-bound": "bound", "ppl-importance": "nll_importance"}


@dataclass(frozen=True, order=True)
class ItemSet:
    """The files of one corpus, split and seed."""

    corpus: str
    split: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.corpus}-{self.split}-seed{self.seed}"


def item_sets(files: Sequence[Path]) -> dict[ItemSet, list[Path]]:
    """Sort ``items/…/*.parquet`` by what they belong to; systems keep the order of ``files``."""
    sets: dict[ItemSet, list[Path]] = {}
    for file in files:
        about = parquet_metadata(file)
        sets.setdefault(ItemSet(about["corpus"], about["split"], int(about["seed"])), []).append(file)
    return sets


def pack(files: Sequence[Path]) -> dict[str, Any]:
    """Pack the items of several systems as JSON, see ``static/columns.js`` for its reader.

    Args:
        files: files of one corpus, split and seed, with `RESPONSES` and per-item metrics.
    Returns:
        ``texts``, joined by line feeds; ``context``, ``reference`` (numbers of texts) and ``label`` per example;
        ``answers``, for each system and selection its ``responses`` (one column per sample), ``group`` and
        ``metrics``, averaged over samples. Columns are those of `script_data.packed`.
    Raises:
        PipelineError: two systems answered different examples.
    """
    answers = [answer for file in files for answer in _answers(file)]
    first = answers[0]
    for other in answers[1:]:
        if not np.array_equal(first.examples, other.examples):
            shared = len(np.intersect1d(first.examples, other.examples))
            raise PipelineError(
                f"{len(other.examples)} examples, {shared} of them in {first.file}",
                where=other.file,
                expected=f"the same {len(first.examples)} examples",
                remedy="delete the responses of one of the two and run the same command again",
            )
    columns = [first.context, first.reference, *(response for answer in answers for response in answer.responses)]
    numbered = pc.dictionary_encode(pa.chunked_array(columns).combine_chunks())
    numbers = numbered.indices.to_numpy().reshape(len(columns), -1)
    taken = iter(numbers[2:])
    return {
        "example_id": packed(first.examples, "<f8"),  # a JavaScript number, exact to 2^53
        "context": packed(numbers[0], "<u4"),
        "reference": packed(numbers[1], "<u4"),
        "label": None if first.label is None else packed(first.label, "<i4"),
        "texts": "\n".join(pc.replace_substring(numbered.dictionary, "\n", " ").to_pylist()),
        "answers": [
            {
                "system": answer.system,
                "selection": answer.selection,
                "group": None if answer.group is None else packed(answer.group, "<i4"),
                "responses": [packed(next(taken), "<u4") for _ in answer.responses],
                "metrics": {name: packed(values, "<f4") for name, values in answer.metrics.items()},
            }
            for answer in answers
        ],
    }


@dataclass(frozen=True)
class _Answer:
    """The responses of one system under one selection, a row per example; -1 is an unknown group or label."""

    file: Path
    system: str
    selection: str
    examples: np.ndarray  # (n,) int64 ascending
    context: pa.Array
    reference: pa.Array
    responses: list[pa.Array]  # per sample; where an example has fewer, its first is repeated
    label: np.ndarray | None
    group: np.ndarray | None  # of the first sample
    metrics: dict[str, np.ndarray]  # (n,) float64


def _answers(file: Path) -> Iterator[_Answer]:
    table = read_parquet(file)
    place = table.column_names.index("response")
    table = table.set_column(place, "response", table["response"].fill_null(""))  # of a system that makes no texts
    system = metadata_of(table)["system"]
    # the variants of BLEU that no table shows have a bar in their names
    names = [name for name in table.column_names if not (name in RESPONSES.names or is_for_tests(name) or "|" in name)]
    for selection in sorted(pc.unique(table["selection"]).to_pylist(), key=lambda name: (name != ORACLE, name)):
        chosen = table.filter(pc.equal(table["selection"], selection)).sort_by(
            [("example_id", "ascending"), ("sample", "ascending")]
        )
        examples, starts, counts = np.unique(chosen["example_id"].to_numpy(), return_index=True, return_counts=True)
        first = chosen.take(starts)
        samples = [starts + np.where(counts > i, i, 0) for i in range(int(counts.max()))]
        measured = {name: chosen[name] for name in names} | _perplexities(chosen)
        if chosen["kl"].null_count < len(chosen):
            measured["kl"] = chosen["kl"]
        yield _Answer(
            file,
            system,
            selection,
            examples,
            first["context"].combine_chunks(),
            first["reference"].combine_chunks(),
            [chosen["response"].take(sample).combine_chunks() for sample in samples],
            _numbers(first["label"]),
            _numbers(first["group"]),
            {name: _by_example(values, starts, counts) for name, values in measured.items()},
        )


def _perplexities(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    return {
        name: pc.exp(pc.divide(table[nats].cast(pa.float64()), table["tokens"]))
        for name, nats in PERPLEXITIES.items()
        if table[nats].null_count < len(table)
    }


def _by_example(values: pa.ChunkedArray, starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Average over samples: (n,) float64."""
    return np.add.reduceat(values.to_numpy().astype(np.float64), starts) / counts


def _numbers(column: pa.ChunkedArray) -> np.ndarray | None:
    return None if column.null_count == len(column) else column.cast(pa.int64()).fill_null(-1).to_numpy()
