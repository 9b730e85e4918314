"""Tables of counts: a row for each corpus."""

from collections.abc import Mapping
from typing import Any

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import CountTable
from pipeline_lib.errors import PipelineError
from pipeline_lib.schemas.dialogues import SPLITS
from pipeline_lib.tables.cells import Cell, Column, Row, Table, notes_of_spec, of_spec
from pipeline_lib.tables.published import Published


def make(
    name: str, spec: CountTable, layout: Layout, counts: Mapping[str, Mapping[str, Any]], published: Published
) -> Table:
    """Make a table of counts.

    Args:
        counts: corpus -> ``{"corpus", "vocabulary", "splits": {split: fields of `examples.counting.ExampleCounts`},
            "lost"}``, the last being notes on what the corpus lost.
    Raises:
        PipelineError: a count is absent.
    """
    rows = []
    for corpus, label in layout.corpora.items():
        cells = {
            column: Cell(_count(counts, corpus, path), n=1, published=published.value(spec.number, column, "", label))
            for column, path in spec.columns.items()
        }
        rows.append(Row(corpus, label, label, cells))
    columns = [Column(column, places=0) for column in spec.columns]
    # under their names in the configuration: a label may hold markup, which notes are not free of
    lost = [f"Corpus {corpus}: {note}." for corpus in layout.corpora for note in counts[corpus]["lost"]]
    return Table(**of_spec(name, spec), columns=columns, rows=rows, notes=[*notes_of_spec(spec, rows), *lost])


def _count(counts: Mapping[str, Any], corpus: str, path: str) -> int:
    """Follow a path such as ``vocabulary`` or ``train.examples`` into the counts of a corpus."""
    parts = path.split(".")
    value: Any = counts.get(corpus, {})
    for key in ["splits", *parts] if parts[0] in SPLITS else parts:
        if not isinstance(value, Mapping) or key not in value:
            raise PipelineError(
                f"no count {path!r}",
                where=f"counts of {corpus}",
                expected=f"a key {key!r}",
                remedy="correct the column in paper.yaml, or delete the counts and run the same command again",
            )
        value = value[key]
    return int(value)
