"""Tables of counts: a row for each corpus."""

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import CountTable
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.counting import EMPTY, REASONS
from pipeline_lib.examples.overlap import Overlap
from pipeline_lib.schemas.dialogues import HELD_OUT, SPLITS
from pipeline_lib.tables.cells import Cell, Column, Row, Table, notes_of_spec, of_spec
from pipeline_lib.tables.published import Published


def make(
    name: str, spec: CountTable, layout: Layout, counts: Mapping[str, Mapping[str, Any]], published: Published
) -> Table:
    """Make a table of counts.

    Args:
        counts: corpus -> ``{"corpus", "vocabulary", "splits", "lost"}``, the splits from
            `examples.counting.count_splits`, the last being notes on what the corpus lost. Of what was dropped and
            what held-out splits share with training, the counts that are not 0 are shown after the others.
    Raises:
        PipelineError: a count is absent.
    """
    cells = {
        corpus: {
            column: Cell(
                _count(counts, corpus, path), n=1, published=published.beside(layout, corpus, spec.number, column, "")
            )
            for column, path in spec.columns.items()
        }
        for corpus in layout.corpora
    }
    extra = {column: path for column, path in _lost_and_shared(spec).items() if _is_nonzero(counts, layout, path)}
    for corpus, own in cells.items():
        own |= {column: Cell(_count(counts, corpus, path), n=1) for column, path in extra.items()}
    rows = [Row(corpus, label, label, cells[corpus]) for corpus, label in layout.corpora.items()]
    columns, further = ([Column(column, places=0) for column in names] for names in (spec.columns, extra))
    # under their names in the configuration: a label may hold markup, which notes are not free of
    lost = [f"Corpus {corpus}: {note}." for corpus in layout.corpora for note in counts[corpus]["lost"]]
    notes = [*notes_of_spec(spec, layout, rows), *_notes_of_extra(extra.values()), *lost]
    return Table(**of_spec(name, spec), columns=columns, extra=further, rows=rows, notes=notes)


def _lost_and_shared(spec: CountTable) -> dict[str, str]:
    """Name the columns of what filtering dropped and of what held-out splits share with training: column -> count.

    Only for splits that some column of the table counts; a count that has a column already gets no other.
    """
    own = list(spec.columns.values())
    shown = [split for split in SPLITS if any(path.startswith(f"{split}.") for path in own)]
    paths = [f"{split}.dropped.{reason}" for split in shown for reason in REASONS]
    paths += [f"{split}.{count.name}" for split in shown if split in HELD_OUT for count in fields(Overlap)]
    return {
        path.replace(".dropped.", " dropped: ").replace(".", " ").replace("_", " "): path
        for path in paths
        if path not in own
    }


def _is_nonzero(counts: Mapping[str, Any], layout: Layout, path: str) -> bool:
    return any(_count(counts, corpus, path) for corpus in layout.corpora)


def _notes_of_extra(paths: Collection[str]) -> list[str]:
    notes = []
    if any(".dropped." in path for path in paths):
        notes.append(
            "A dropped example is counted under its first reason. A token is rare if training has it less often than "
            "`min_count` or not at all, unknown if `filtering: known` does not take it, and unseen if no training "
            "example that is kept has it."
        )
    if any(path.endswith(f".dropped.{EMPTY}") for path in paths):
        notes.append("Dropped as empty: an utterance has no token, so that the text has no words.")
    if any(path.endswith(f".{count.name}") for path in paths for count in fields(Overlap)):
        notes.append(
            "In training: examples whose context and response (pairs), or whose context, a training example has word "
            "for word."
        )
    return notes


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
