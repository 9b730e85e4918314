"""Tables of one context, answered as several users; on generated users also how well the answers fit each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import TransferTable
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.persona import Accuracy, Nats, Relevance
from pipeline_lib.schemas.transfer import TRANSFER
from pipeline_lib.tables.cells import EMPTY, Block, Section, Table, of_spec
from pipeline_lib.text.turns import turns_apart


def make(name: str, spec: TransferTable, layout: Layout, transfer: Sequence[Path]) -> Table:
    """Make a table of transfer.

    Args:
        transfer: files of `TRANSFER`, those of the first corpus first, in the order of the layout's systems.
    Returns:
        A table whose CSV has a row for each context and user of the analysis.
    """
    files = iter(transfer)
    sections, records, notes = [], [], []
    for corpus, corpus_label in layout.corpora.items():
        for system, settings in layout.systems.items():
            table = read_parquet(next(files), TRANSFER)
            rows = _rows(table)
            records += [{"corpus": corpus, "system": system, "label": settings.label} | row for row in rows]
            cases = [[row for row in rows if row["case"] == case] for case in range(spec.contexts)]
            blocks = [_block(own, spec.users) for own in cases if own]
            sections.append(Section(f"{corpus_label}, {settings.label}", blocks))
            notes += fits(table, f"{settings.label}, {corpus_label}")
    notes.append(
        f"The run with seed {layout.seeds[0]}; greedy decoding; the users who say most in training, without those who "
        "speak in the context or give the reference."
    )
    return Table(**of_spec(name, spec), sections=sections, is_prose=True, records=records, notes=[*notes, *spec.notes])


def fits(table: pa.Table, of: str) -> list[str]:
    """Say how well the responses fit the users as whom they are given, where the users' styles are known."""
    if table["label"].null_count:
        return []
    items = Items.of(table["context"], table["reference"], table["response"])
    items = replace(items, label=table["label"].to_numpy().astype(np.int64))
    accuracy, nats, relevance = (metric()(items).mean for metric in (Accuracy, Nats, Relevance))
    if accuracy is None or nats is None or relevance is None:
        return []
    return [
        f"{of}: {len(table):,} responses, each context as every user: persona-accuracy {accuracy:.3f}, persona-nats "
        f"{nats:.2f}, persona-relevance {relevance:.3f}."
    ]


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    columns = ["case", "example_id", "context", "reference", "speaker", "user", "name", "present", "response"]
    shown = table.select(columns)
    return [row | {"context": turns_apart(row["context"])} for row in shown.to_pylist()]


def _block(rows: Sequence[Mapping[str, Any]], users: int) -> Block:
    others = [row for row in rows if not row["present"]][:users]
    lines = [["as", "response"], *([row["name"], row["response"] or EMPTY] for row in others)]
    return Block(f"Context: {rows[0]['context']}", lines, introduction="The reference", listed=[rows[0]["reference"]])
