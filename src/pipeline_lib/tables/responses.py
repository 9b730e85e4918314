"""Tables of responses: contexts drawn from a split, each with its reference and every system's first response."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import ResponseTable
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.responses import ORACLE, RESPONSES
from pipeline_lib.tables.cells import EMPTY, Block, Section, Table, of_spec
from pipeline_lib.text.turns import turns_apart


def make(name: str, spec: ResponseTable, layout: Layout, responses: Sequence[Path]) -> Table:
    """Make a table of responses.

    Args:
        responses: files of `RESPONSES`, those of the first corpus first, in the order of the layout's systems.
    Returns:
        A table whose CSV has a row for each text: corpus, example_id, context, role, system, label and text.
    Raises:
        PipelineError: the split has fewer examples than are to be drawn, or a system lacks one.
    """
    files = iter(responses)
    sections, records = [], []
    for corpus, corpus_label in layout.corpora.items():
        tables = {system: _first_samples(next(files)) for system in layout.systems}
        rows = [
            {"corpus": corpus, **row} for row in _rows(spec, tables, {s: o.label for s, o in layout.systems.items()})
        ]
        records += rows
        drawn = list(dict.fromkeys(row["example_id"] for row in rows))
        blocks = [_block([row for row in rows if row["example_id"] == example]) for example in drawn]
        sections.append(Section(corpus_label, blocks))
    notes = [
        f"Contexts drawn at random with seed {spec.seed}; the first response of the run with seed {_seed(layout)}."
    ]
    return Table(**of_spec(name, spec), sections=sections, is_prose=True, records=records, notes=[*notes, *spec.notes])


def _rows(spec: ResponseTable, tables: Mapping[str, pa.Table], labels: Mapping[str, str]) -> list[dict[str, Any]]:
    first = next(iter(tables.values()))
    if len(first) < spec.contexts:
        raise PipelineError(
            f"{len(first)} examples in the split {spec.split}",
            where="`contexts:` of a table of kind `responses`",
            expected=f"{spec.contexts} or more, which are to be drawn",
            remedy="lower `contexts:`, or take another split",
        )
    ids = np.sort(first["example_id"].to_numpy())
    rows: list[dict[str, Any]] = []
    for example in np.random.default_rng(spec.seed).choice(ids, spec.contexts, replace=False).tolist():
        said = _row_of(first, example, labels)
        own = {"example_id": example, "context": turns_apart(said["context"])}
        rows.append(own | {"role": "reference", "system": "", "label": "reference", "text": said["reference"]})
        for system, table in tables.items():
            text = _row_of(table, example, labels)["response"] or EMPTY
            rows.append(own | {"role": "response", "system": system, "label": labels[system], "text": text})
    return rows


def _row_of(table: pa.Table, example: int, labels: Mapping[str, str]) -> dict[str, Any]:
    found = table.filter(pc.equal(table["example_id"], example)).to_pylist()
    if not found:
        raise PipelineError(
            f"no response to example {example}",
            where=", ".join(labels.values()),
            expected="responses of every system to the same examples",
            remedy="delete the responses of these systems and run the same command again",
        )
    row: dict[str, Any] = found[0]
    return row


def _first_samples(path: Path) -> pa.Table:
    """Read the first response to each example; of several ways to choose a group, that without the reference."""
    table = read_parquet(path, RESPONSES)
    return table.filter(pc.and_(pc.equal(table["sample"], 0), pc.not_equal(table["selection"], ORACLE)))


def _block(rows: Sequence[Mapping[str, Any]]) -> Block:
    return Block(f"Context: {rows[0]['context']}", [["", "response"], *([row["label"], row["text"]] for row in rows)])


def _seed(layout: Layout) -> int:
    return layout.seeds[0]
