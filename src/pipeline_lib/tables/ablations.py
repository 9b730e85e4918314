"""The table of ablations: a system against itself with one thing changed.

Every row that has the model of an ablation is in it. The first of a model's rows, which is the one in `systems:` that
stands first, is what the others are compared with. `table_text` prints it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.significance import Significance
from pipeline_lib.config.systems import SystemSettings
from pipeline_lib.files.formats import parquet_metadata
from pipeline_lib.metrics.directions import WITH_TEST
from pipeline_lib.metrics.kl import COLLAPSED_BELOW
from pipeline_lib.metrics.perplexity import is_latent
from pipeline_lib.schemas.responses import ORACLE
from pipeline_lib.schemas.scores import SCORES
from pipeline_lib.significance.outputs import Outputs, read_outputs
from pipeline_lib.significance.paired import compare_with, method_of
from pipeline_lib.tables.cells import Cell, Change, Row, Table, over_seeds, spread_of
from pipeline_lib.tables.scores import SplitScores, join, signature_notes

NAME = "ablations"
RESPONSES = ["BLEU-1", "BLEU-2", "Average", "coherence", "distinct-1", "distinct-2", "length"]
LATENT = ["ppl-bound", "ppl-importance", "kl", "active-units", "largest-group", "ARI", "NMI"]
ORACLES = {f"{ORACLE} {metric}": metric for metric in ("BLEU-1", "largest-group", "ARI", "NMI")}  # of validation
LARGEST_GROUP = "largest-group"


class _Found:
    """Scores and responses of one corpus: those of test, and the oracle's of validation."""

    def __init__(self, scores: pa.Table, items: Sequence[Path], layout: Layout, corpus: str) -> None:
        self.corpus, self.layout = corpus, layout
        self.scores = {split: SplitScores(scores, split) for split in ("test", "validation")}
        self.outputs: dict[bool, dict[str, Outputs]] = {}
        for oracle, split in ((False, "test"), (True, "validation")):
            own = [file for file in items if _is_of(file, corpus, split)]
            read = read_outputs(own, list(layout.systems), oracle)[2]
            self.outputs[oracle] = {outputs.system: outputs for outputs in read}

    def cell(self, system: str, column: str) -> Cell:
        """The figure of one system over its seeds."""
        oracle, metric = column in ORACLES, ORACLES.get(column, column)
        if metric == LARGEST_GROUP:
            outputs = self.outputs[oracle].get(system)
            return over_seeds(shares) if (shares := _largest_groups(outputs)) else Cell()
        scores = self.scores["validation" if oracle else "test"]
        selections = scores.selections(self.corpus, system, self.layout)
        chosen = [selection for selection in selections if (selection == ORACLE) == oracle]
        return scores.cell((self.corpus, system, chosen[0], metric)) if chosen else Cell()

    def collapsed(self, system: str) -> int:
        """How many of a system's runs ended with a KL below `COLLAPSED_BELOW`."""
        outputs = self.outputs[False].get(system)
        if outputs is None:
            return 0
        likelihoods = [items.likelihood for items in outputs.seeds.values()]
        kl = [one.kl.mean() for one in likelihoods if one is not None and one.kl is not None and is_latent(one)]
        return int(sum(value < COLLAPSED_BELOW for value in kl))


def ablation_table(scores: Sequence[Path], items: Sequence[Path], layout: Layout, significance: Significance) -> Table:
    """The table before it is printed.

    Args:
        scores: of `schema.SCORES`, of test and validation, of every row and seed.
        items: the same responses one by one, for the paired tests.
        layout: the rows in order.
    Raises:
        PipelineError: a seed is missing, or two systems answered different examples.
    """
    joined = join(scores, SCORES)
    rows = []
    for corpus in layout.corpora:
        found = _Found(joined, items, layout, corpus)
        for model in dict.fromkeys(system.model for system in layout.systems.values()):
            names = [name for name, system in layout.systems.items() if system.model == model]
            rows += _rows_of(found, names, significance)
    columns, extra = (_defined(rows, names) for names in (RESPONSES, [*LATENT, *ORACLES]))
    test = SplitScores(joined, "test")
    notes = _notes(rows, layout, significance) + signature_notes(test, layout, [*columns, *extra])
    title = "Test responses, one thing changed at a time"
    return Table(NAME, title, columns, extra, rows, notes, "Likelihood and groups; the oracle's choice on validation")


def long_form(table: Table) -> pa.Table:
    """One row per row of the table, seven columns per figure: what the .csv holds."""
    records = []
    for row in table.rows:
        record: dict[str, Any] = {key: getattr(row, key) for key in ("corpus", "system", "label", "collapsed")}
        for column in [*table.columns, *table.extra]:
            cell = row.cells[column]
            change = cell.change or Change(0.0)
            record |= {column: cell.mean, f"{column} sd": cell.sd, f"{column} n": cell.n}
            record |= {f"{column} low": cell.low, f"{column} high": cell.high}
            record |= {
                f"{column} difference": change.difference if cell.change else None,
                f"{column} p": change.p_adjusted,
            }
        records.append(record)
    return pa.Table.from_pylist(records)


def _rows_of(found: _Found, names: Sequence[str], significance: Significance) -> list[Row]:
    """The rows of one model, the first of which the others are compared with."""
    base, *others = names
    columns = [*RESPONSES, *LATENT, *ORACLES]
    changes = _tested(found.outputs[False], names, significance, {c: c for c in RESPONSES + LATENT if c in WITH_TEST})
    changes |= _tested(found.outputs[True], names, significance, {c: m for c, m in ORACLES.items() if m in WITH_TEST})
    cells = {name: {column: found.cell(name, column) for column in columns} for name in names}
    for name in others:
        for column, cell in cells[name].items():
            of_base = cells[base][column].mean
            if cell.mean is not None and of_base is not None:
                change = changes.get((name, column), Change(cell.mean - of_base))
                cells[name][column] = replace(cell, change=change)
    corpus, label = found.corpus, found.layout.corpora[found.corpus]
    return [
        Row(corpus, label, found.layout.systems[name].label, cells[name], name, collapsed=found.collapsed(name))
        for name in names
    ]


def _tested(
    outputs: Mapping[str, Outputs],
    names: Sequence[str],
    significance: Significance,
    metrics: Mapping[str, str],
) -> dict[tuple[str, str], Change]:
    """(system, column) -> how far it lies from the first of ``names``, by a paired test over items."""
    base, *others = (outputs.get(name) for name in names)
    if base is None:
        return {}
    columns = {metric: column for column, metric in metrics.items()}
    differences = compare_with(base, [other for other in others if other], significance, list(columns))
    return {(d.other, columns[d.metric]): Change(d.difference, d.p_adjusted, d.significant) for d in differences}


def _largest_groups(outputs: Outputs | None) -> list[float]:
    """Share of the items that fall to the most used group, per seed; none for a system without groups."""
    groups = [items.group for items in outputs.seeds.values()] if outputs else []
    return [float(max(Counter(group.tolist()).values()) / len(group)) for group in groups if group is not None]


def _is_of(file: Path, corpus: str, split: str) -> bool:
    about = parquet_metadata(file)
    return about.get("corpus") == corpus and about.get("split") == split


def _defined(rows: Sequence[Row], columns: Sequence[str]) -> list[str]:
    return [column for column in columns if any(row.cells[column].mean is not None for row in rows)]


def _notes(rows: Sequence[Row], layout: Layout, significance: Significance) -> list[str]:
    notes = [
        f"Each figure: {spread_of(layout)}; on test, where a group is chosen by the context alone. Below it the "
        "difference from the first row of the same model.",
        f"† The difference is real: paired test over items, {method_of(significance)}, over the rows of a column. "
        "active-units, largest-group, ARI and NMI are of the whole set and have no such test.",
        "The test is over items of these runs: how far other runs would lie shows in the standard deviation alone.",
        "largest-group: share of the examples that fall to the most used group.",
        "oracle: on validation, where the group was chosen with the reference.",
    ]
    if any(row.collapsed for row in rows):
        notes.append(f"‡ Collapsed: KL below {COLLAPSED_BELOW} nat in so many of its runs.")
    if any(row.cells[column].mean is None for row in rows for column in _defined(rows, [*RESPONSES, *LATENT])):
        notes.append("– Not defined for this system.")
    options = "; ".join(f"{system.label}: {_options(system)}" for system in layout.systems.values())
    return [*notes, f"Options: {options}."]


def _options(system: SystemSettings) -> str:
    values = {name: str(value).lower() if isinstance(value, bool) else value for name, value in system.options.items()}
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "none"
