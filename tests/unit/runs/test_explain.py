"""The files behind one cell of a table."""

from pathlib import Path
from typing import Any

import pytest

from pipeline_lib.files.provenance import Plan, Record
from pipeline_lib.runs.chain import Chain
from pipeline_lib.runs.explain import runs_behind
from pipeline_lib.tables.cells import Cell, Column, Row, Table
from pipeline_lib.tables.files import write_table


@pytest.mark.parametrize("column", ["BLEU-1", "kl"])
def test_a_column_beyond_the_published_ones_has_files_behind_it_too(tmp_path: Path, column: str) -> None:
    cells = {name: Cell(0.5, n=1) for name in ("BLEU-1", "kl")}
    shape: dict[str, Any] = {"name": "t", "kind": "scores", "number": None, "title": "T"}
    shown = {"columns": [Column("BLEU-1", split="test")], "extra": [Column("kl", split="test")]}
    table = Table(**shape, **shown, rows=[Row("toy", "Toy", "Ours", cells, system="ours")])
    write_table(table, *(tmp_path / f"t.{kind}" for kind in ("csv", "md", "tex", "json")))
    of = {"corpus": "toy", "system": "ours", "split": "test"}
    record = Record("scores/ours.parquet", Plan("score", of, {}, "c0", {}))
    chain = Chain(tmp_path)
    chain.made_from = lambda name: ["scores/ours.parquet"]  # type: ignore[method-assign]
    chain.record = lambda name: record  # type: ignore[method-assign, assignment]
    assert runs_behind(chain, tmp_path / "t.csv", "Ours", column) == ["scores/ours.parquet"]
