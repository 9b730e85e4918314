"""Tables of scores: a row for each system on a corpus, beside the published values or compared with the first row."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import ScoreTable, metric_of
from pipeline_lib.config.settings import ORACLE_SPLIT
from pipeline_lib.config.significance import Significance
from pipeline_lib.config.systems import SystemSettings
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.metrics.named import metric_class
from pipeline_lib.schemas.responses import ORACLE
from pipeline_lib.schemas.scores import SCORES
from pipeline_lib.schemas.significance import SIGNIFICANCE
from pipeline_lib.significance.comparisons import Comparison, compare_with
from pipeline_lib.significance.families import Lead, Place, enough_trials, holm, leads
from pipeline_lib.significance.outputs import Outputs, by_split, read_outputs
from pipeline_lib.tables.caveats import notes_of_caveats
from pipeline_lib.tables.cells import (
    Cell,
    Change,
    Column,
    Row,
    Table,
    has_published,
    notes_of_spec,
    of_spec,
    printed_as,
    spread_of,
)
from pipeline_lib.tables.marks import Tested, notes_of_changes, notes_of_leads
from pipeline_lib.tables.published import Published, not_compared
from pipeline_lib.tables.recorded_scores import Scores, notes_apart
from pipeline_lib.tables.settings import by_path, shown


def make(
    name: str,
    spec: ScoreTable,
    layout: Layout,
    scores: Sequence[Path],
    significance: Sequence[Path],
    items: Sequence[Path],
    test: Significance,
    published: Published,
) -> Table:
    """Make a table of scores.

    Args:
        scores: files of `schemas.scores`, of every corpus, system, seed and split of the table.
        significance: files of `schemas.significance`, where values are shown beside the published ones.
        items: the scored responses, where the other rows are compared with the first.
        test: the level and the trials of the tests.
    Raises:
        PipelineError: a seed or a metric is missing, a column mixes settings, or two systems answered other examples.
    """
    found = Scores(_join(scores, SCORES))
    columns, extra = (_columns(spec, found, layout, names) for names in (spec.columns, spec.extra))
    if spec.beside == "first row":
        compared = _changes(layout, [*columns, *extra], items, test)
        rows = _compared_rows(found, layout, [*columns, *extra], _adjusted(compared, test.level))
        notes = _notes_of_changes([*columns, *extra], rows, layout, list(compared.values()), test.level)
    else:
        tested = _join(significance, SIGNIFICANCE).to_pylist()
        found_leads = leads(tested)
        rows = _published_rows(found, spec, layout, [*columns, *extra], found_leads, published, test.level)
        tests = [Tested(row["between"], row["method"]) for row in tested]
        notes = _notes_of_values(rows, layout) + notes_of_leads(tests, len(found_leads), test.level, layout)
    extra = [column for column in extra if any(row.cells[column.name].mean is not None for row in rows)]
    shown = [*columns, *extra]
    return Table(
        **of_spec(name, spec),
        columns=columns,
        extra=extra,
        extra_title=spec.extra_title,
        rows=[replace(row, cells={column.name: row.cells[column.name] for column in shown}) for row in rows],
        beside=spec.beside,
        notes=[
            *notes,
            *_notes_of_metrics(shown),
            *_notes_of_marks(rows, shown),
            *(system.note for system in layout.systems.values() if system.note),
            *notes_of_spec(spec, layout, rows),
        ],
    )


def _join(files: Sequence[Path], schema: pa.Schema) -> pa.Table:
    """Read the rows of several files of one schema."""
    return pa.concat_tables(
        [schema.empty_table(), *(read_parquet(file, schema).select(schema.names).cast(schema) for file in files)]
    )


# --- columns -------------------------------------------------------------------------------------------------------


def _columns(spec: ScoreTable, found: Scores, layout: Layout, names: Sequence[str]) -> list[Column]:
    """Describe columns, side by side for each split; an oracle's column is of validation, whatever the splits."""
    columns: list[Column] = []
    for split in spec.splits:
        for name in names:
            metric = metric_of(name)
            is_oracle = metric != name
            of = ORACLE_SPLIT if is_oracle else split
            kind = metric_class(metric)
            found.check_metric(metric, of)
            column = Column(
                name if is_oracle or len(spec.splits) == 1 else f"{split} {name}",
                max(1, spec.digits - kind.fewer_digits),
                metric,
                of,
                kind.meaning,
                kind.better,
                {layout.corpora[corpus]: own for corpus, own in found.signatures(metric, of).items()},
            )
            if column.name not in [other.name for other in columns]:
                columns.append(column)
    return columns


def _is_oracle(column: Column) -> bool:
    return column.name != metric_of(column.name)


# --- rows beside the published values --------------------------------------------------------------------------------


def _published_rows(
    found: Scores,
    spec: ScoreTable,
    layout: Layout,
    columns: Sequence[Column],
    found_leads: Mapping[Place, Lead],
    published: Published,
    level: float,
) -> list[Row]:
    """Make a row for each way of choosing the group, where a system has several."""
    rows = []
    for corpus, corpus_label in layout.corpora.items():
        for system, settings in layout.systems.items():
            selections = found.selections(corpus, system, spec.splits, layout)
            for selection in selections:
                is_published = len(selections) == 1 or selection == ORACLE  # papers choose by the reference
                apart = found.apart(corpus, system)
                cells = {}
                for column in columns:
                    own = ORACLE if _is_oracle(column) else selection
                    cell = found.cell((corpus, column.split, system, own, column.metric))
                    lead = found_leads.get((corpus, column.split, column.metric))
                    if lead and lead.best == system and own != ORACLE:
                        cell = _with_lead(cell, lead, level)
                    name = spec.as_.get(column.metric, column.metric)
                    place = (layout, corpus, spec.number, name, printed_as(spec, layout, system), column.split)
                    printed = published.beside(*place) if is_published else None
                    cells[column.name] = replace(cell, published=not_compared(printed) if apart else printed)
                label = settings.label + _suffix(selection, len(selections) > 1) + apart
                caveats = found.caveats(corpus, system, selection, spec.splits)
                rows.append(Row(corpus, corpus_label, label, cells, system, selection, caveats))
    return rows


def _suffix(selection: str, is_one_of_several: bool) -> str:
    if selection == ORACLE:
        return " (oracle)"
    return " (test rule)" if is_one_of_several else ""


def _with_lead(cell: Cell, lead: Lead, level: float) -> Cell:
    return replace(cell, lead=lead.between if lead.p_adjusted < level else "best", lead_p=lead.p_adjusted)


# --- rows compared with the first ------------------------------------------------------------------------------------


Changed = tuple[str, str, str]  # corpus, system, column


def _compared_rows(
    found: Scores, layout: Layout, columns: Sequence[Column], changes: Mapping[Changed, Change]
) -> list[Row]:
    """Make one row for each system, whose values the rule for choosing a group that is used on test decides."""
    rows = []
    names = list(layout.systems)
    for corpus, corpus_label in layout.corpora.items():
        cells = {
            name: {column.name: _own_cell(found, corpus, name, column, layout) for column in columns} for name in names
        }
        compared = [name for name in names if not found.apart(corpus, name)]
        for name in compared[1:] if names[0] in compared else ():
            for column, cell in cells[name].items():
                first = cells[names[0]][column].mean
                if cell.mean is not None and first is not None:
                    change = changes.get((corpus, name, column), Change(cell.mean - first))
                    cells[name][column] = replace(cell, change=change)
        for name in names:
            splits = {column.split for column in columns if not _is_oracle(column)}
            own = [one for one in found.selections(corpus, name, splits, layout) if one != ORACLE]
            caveats = found.caveats(corpus, name, own[0], splits) if own else {}
            label = layout.systems[name].label + found.apart(corpus, name)
            rows.append(Row(corpus, corpus_label, label, cells[name], name, caveats=caveats))
    return rows


def _own_cell(found: Scores, corpus: str, system: str, column: Column, layout: Layout) -> Cell:
    selections = found.selections(corpus, system, [column.split], layout)
    chosen = [selection for selection in selections if (selection == ORACLE) == _is_oracle(column)]
    return found.cell((corpus, column.split, system, chosen[0], column.metric)) if chosen else Cell()


def _changes(
    layout: Layout, columns: Sequence[Column], items: Sequence[Path], test: Significance
) -> dict[Changed, Comparison]:
    """Compare every other system with the first, column by column."""
    names, compared = list(layout.systems), {}
    test = enough_trials(test, len(columns) * (len(names) - 1) * len(layout.corpora))
    for (corpus, split), files in by_split(items).items():
        for is_oracle in (False, True):
            metrics = {c.metric: c.name for c in columns if (c.split, _is_oracle(c)) == (split, is_oracle)}
            if corpus not in layout.corpora or not metrics:
                continue
            outputs: dict[str, Outputs] = {
                one.system: one for one in read_outputs(files, names, list(metrics), oracle=is_oracle)
            }
            if names[0] not in outputs:
                continue
            others = [outputs[name] for name in names[1:] if name in outputs]
            for found in compare_with(outputs[names[0]], others, test, list(metrics)):
                compared[corpus, found.other, metrics[found.metric]] = found.comparison
    return compared


def _adjusted(compared: Mapping[Changed, Comparison], level: float) -> dict[Changed, Change]:
    """Correct the comparisons of the whole table together."""
    adjusted = holm(np.array([one.p for one in compared.values()])).tolist()
    return {
        place: Change(one.difference, p, p < level, one.between)
        for (place, one), p in zip(compared.items(), adjusted, strict=True)
    }


# --- notes -----------------------------------------------------------------------------------------------------------


def _notes_of_values(rows: Sequence[Row], layout: Layout) -> list[str]:
    below = "; below: the published value" if any(map(has_published, rows)) else ""
    notes = [f"Each value: {spread_of(layout)}{below}."]
    if any(row.selection == ORACLE for row in rows):
        notes.append("(oracle): the group was chosen with the reference; such a row is not compared.")
    return notes


def _notes_of_changes(
    columns: Sequence[Column], rows: Sequence[Row], layout: Layout, compared: Sequence[Comparison], level: float
) -> list[str]:
    def is_tested(column: Column) -> bool:
        changes = [change for row in rows if (change := row.cells[column.name].change)]
        return not changes or any(change.p_adjusted is not None for change in changes)

    untested = list(dict.fromkeys(column.metric for column in columns if not is_tested(column)))
    notes = [f"Each value: {spread_of(layout)}; below: the difference from the first row."]
    notes += notes_of_changes([Tested(one.between, one.method) for one in compared], level, layout)
    if untested:
        notes.append(f"These columns have no such test: {', '.join(untested)}.")
    if any(map(_is_oracle, columns)):
        notes.append(f"oracle: on {ORACLE_SPLIT}, where the group was chosen with the reference.")
    return [*notes, f"Settings that differ: {'; '.join(_own_settings(layout.systems.values()))}."]


def _own_settings(systems: Collection[SystemSettings]) -> Iterator[str]:
    """Tell of each system what it is set to that not all of them are."""
    sections = ("network", "training", "decoding")
    every = [by_path({**system.options, **{name: getattr(system, name) for name in sections}}) for system in systems]
    for system, own in zip(systems, every, strict=True):
        apart = [
            f"{path} {shown(value)}"
            for path, value in own.items()
            if any(path not in other or other[path] != value for other in every)
        ]
        yield f"{system.label}: {', '.join(apart) or 'none'}"


def _notes_of_metrics(columns: Sequence[Column]) -> list[str]:
    cautions = [metric_class(column.metric).caution for column in columns]
    return [caution for caution in dict.fromkeys(cautions) if caution]


def _notes_of_marks(rows: Sequence[Row], columns: Sequence[Column]) -> list[str]:
    notes = notes_of_caveats([row.caveats for row in rows])
    notes += notes_apart(row.label for row in rows)
    if any(row.cells[column.name].mean is None for row in rows for column in columns):
        notes.append("–: not defined for this system.")
    return notes
