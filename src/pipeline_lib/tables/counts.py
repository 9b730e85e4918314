"""Tables of counts: one row a corpus."""

from collections.abc import Mapping
from typing import Any

from pipeline_lib.errors import PipelineError
from pipeline_lib.tables.cells import PAPER, Cell, Row, Table
from pipeline_lib.tables.published import published

# Table 1: column, split, count; one-to-many counts of the paper are of training examples
STATISTICS = (
    ("train pairs", "train", "examples"),
    ("validation pairs", "validation", "examples"),
    ("test pairs", "test", "examples"),
    ("contexts with several responses", "train", "one_to_many_contexts"),
    ("most responses of one context", "train", "most_responses"),
    ("responses with several contexts", "train", "many_to_one_responses"),
    ("most contexts of one response", "train", "most_contexts"),
)


def corpus_table(counts: Mapping[str, Mapping[str, Any]], labels: Mapping[str, str]) -> Table:
    """Table 1 from counts per corpus.

    Args:
        counts: corpus -> ``{"corpus", "vocabulary", "splits": {split: fields of `corpora.counting.ExampleCounts`}}``.
        labels: corpus -> name in the table, in the order of its rows.
    Raises:
        PipelineError: a count is absent.
    """
    rows = []
    for corpus, label in labels.items():
        values = {"vocabulary": _count(counts, corpus, "vocabulary")}
        for column, split, key in STATISTICS:
            values[column] = _count(counts, corpus, "splits", split, key)
        cells = {
            column: Cell(value, n=1, published=published(PAPER, "1", label, "", "", column))
            for column, value in values.items()
        }
        rows.append(Row(corpus, label, label, cells))
    notes = [
        "Counts over contexts and responses are of the training examples, repetitions of one example counted once.",
        "The published counts of DailyDialog cannot be had from its official splits: no length limit tried gives them.",
    ]
    columns = ["vocabulary", *(column for column, _, _ in STATISTICS)]
    return Table("table1", "Corpora after filtering", columns, [], rows, notes)


def _count(counts: Mapping[str, Any], *path: str) -> int:
    value: Any = counts
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            raise PipelineError(
                f"no count {'.'.join(path[1:]) or path[0]!r}",
                where=f"counts of {path[0]}",
                expected=f"a key {key!r}",
                remedy="delete the counts and run the same command again",
            )
        value = value[key]
    return int(value)
