"""Tables of scores: one row a system on a corpus."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from pipeline_lib.config.layout import Layout
from pipeline_lib.errors import PipelineError, did_you_mean
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.metrics.kl import COLLAPSED_BELOW
from pipeline_lib.schemas.responses import ORACLE
from pipeline_lib.tables.cells import PAPER, Cell, Row, Table, over_seeds, spread_of
from pipeline_lib.tables.published import published

GROUP_COLUMNS = ("ARI", "NMI")  # shown where a corpus knows the groups of its responses


SPLIT_OF = {"table2": "validation", "table3": "test"}


def system_table(
    name: str,
    scores: pa.Table,
    significance: pa.Table,
    layout: Layout,
    columns: Sequence[str],
    extra: Sequence[str],
) -> Table:
    """``table2`` (validation) or ``table3`` (test).

    Args:
        scores: of `schema.SCORES`, all corpora, systems and seeds of ``layout``.
        significance: of `schema.SIGNIFICANCE`.
        columns: metrics of the published shape.
        extra: metrics after it; group recovery follows of itself where it is defined.
    Raises:
        PipelineError: a seed or a metric is missing, or a column mixes settings.
    """
    split = SPLIT_OF[name]
    number = name.removeprefix("table")
    found = SplitScores(scores, split)
    leads = _leads(significance, split)
    recovered = [metric for metric in GROUP_COLUMNS if found.defined(metric)]
    shown = [*columns, *extra, *recovered]
    found.check_columns(shown)
    rows = [
        _row(found, leads, layout, corpus, system, selection, shown, number, split)
        for corpus in layout.corpora
        for system in layout.systems
        for selection in found.selections(corpus, system, layout)
    ]
    notes = _notes(rows, found, layout, shown, significance)
    title = f"{split.capitalize()} responses"
    return Table(name, title, list(columns), [*extra, *recovered], rows, notes)


class SplitScores:
    """Scores of one split by corpus, system, selection, metric and seed."""

    def __init__(self, scores: pa.Table, split: str) -> None:
        self.split = split
        self.rows = [row for row in scores.to_pylist() if row["split"] == split]
        self.values: dict[tuple[str, str, str, str], dict[int, float | None]] = {}
        for row in self.rows:
            key = (row["corpus"], row["system"], row["selection"], row["metric"])
            self.values.setdefault(key, {})[row["seed"]] = row["value"]
        self.metrics = {row["metric"] for row in self.rows}

    def defined(self, metric: str) -> bool:
        return any(row["metric"] == metric and row["value"] is not None for row in self.rows)

    def check_columns(self, columns: Iterable[str]) -> None:
        for column in columns:
            if column not in self.metrics | {"active-units"}:  # systems without a latent variable have none
                raise PipelineError(
                    f"no metric {column!r}",
                    where=f"tables: in the configuration, {self.split} scores",
                    expected=did_you_mean(column, sorted(self.metrics)) if self.metrics else f"scores of {self.split}",
                    remedy="correct the column's name",
                )

    def selections(self, corpus: str, system: str, layout: Layout) -> list[str]:
        """The selections of one system, the oracle first, each checked to have every seed."""
        found = {key[2] for key in self.values if key[:2] == (corpus, system)}
        expected = set(layout.seeds) if layout.systems[system].trained else set()
        for selection in found or {""}:
            seeds: set[int] = set()
            for key, by_seed in self.values.items():
                if key[:3] == (corpus, system, selection):
                    seeds |= by_seed.keys()
            if not seeds or expected - seeds:
                raise PipelineError(
                    f"{layout.systems[system].label} has seeds {sorted(seeds)}",
                    where=f"scores of {corpus}, {self.split}, {system}",
                    expected=f"seeds {sorted(expected)}" if expected else "at least one run",
                    remedy="run the workflow for the missing seeds; no table is made from fewer",
                )
        return sorted(found, key=lambda selection: (selection != ORACLE, selection))

    def cell(self, key: tuple[str, str, str, str]) -> Cell:
        by_seed = self.values.get(key, {})
        values = [value for value in by_seed.values() if value is not None]
        if 0 < len(values) < len(by_seed):
            without = sorted(seed for seed, value in by_seed.items() if value is None)
            raise PipelineError(
                f"{key[3]} is undefined for seeds {without} and defined for others",
                where="/".join(key),
                expected="the metric for every seed or for none",
                remedy="delete the responses of these seeds and run the same command again",
            )
        return over_seeds(values) if values else Cell()

    def signatures(self, metric: str) -> dict[str, str]:
        """Signature of a metric per corpus.

        Raises:
            PipelineError: two systems of one corpus were scored under different settings.
        """
        by_corpus: dict[str, str] = {}
        for row in self.rows:
            if row["metric"] == metric and by_corpus.setdefault(row["corpus"], row["signature"]) != row["signature"]:
                raise PipelineError(
                    f"{metric} was computed under two settings: {by_corpus[row['corpus']]} and {row['signature']}",
                    where=f"scores of {row['corpus']}, {self.split}, {row['system']}",
                    expected="one signature per column",
                    remedy="delete the scores of this corpus and run the same command again",
                )
        return by_corpus


def _row(
    found: SplitScores,
    leads: Mapping[tuple[str, str], tuple[str, bool]],
    layout: Layout,
    corpus: str,
    system: str,
    selection: str,
    columns: Sequence[str],
    number: str,
    split: str,
) -> Row:
    label, corpus_label = layout.systems[system].label, layout.corpora[corpus]
    both = len(found.selections(corpus, system, layout)) > 1
    as_published = not both or selection == ORACLE  # the paper chooses by the reference on validation
    cells = {}
    for column in columns:
        cell = found.cell((corpus, system, selection, column))
        best, real = leads.get((corpus, column), ("", False))
        cells[column] = Cell(
            cell.mean,
            cell.sd,
            cell.n,
            cell.low,
            cell.high,
            published(PAPER, number, corpus_label, split, label, column) if as_published else None,
            ("real" if real else "best") if best == system and selection != ORACLE else "",
        )
    if selection == ORACLE:
        label += " (oracle)"
    elif both:
        label += " (test rule)"
    kl = found.values.get((corpus, system, selection, "kl"), {}).values()
    collapsed = sum(value is not None and value < COLLAPSED_BELOW for value in kl)
    return Row(corpus, corpus_label, label, cells, system, selection, collapsed)


def _leads(significance: pa.Table, split: str) -> dict[tuple[str, str], tuple[str, bool]]:
    """(corpus, metric) -> the best system, and whether its lead over the next is significant."""
    return {
        (row["corpus"], row["metric"]): (row["best"], row["significant"])
        for row in significance.to_pylist()
        if row["split"] == split and row["runner_up"]
    }


def _notes(
    rows: Sequence[Row], found: SplitScores, layout: Layout, columns: Sequence[str], significance: pa.Table
) -> list[str]:
    notes = [
        f"Each figure: {spread_of(layout)}; below it what the paper prints, for its own split, which cannot be rebuilt."
    ]
    if methods := sorted(set(significance["method"].to_pylist())):
        notes.append(
            "Bold: best of the systems compared. † The lead over the next is real: paired test over items, "
            + "; ".join(methods)
            + "."
        )
    if any(row.selection == ORACLE for row in rows):
        notes.append("(oracle): the group was chosen by the reference; such a row competes in no column.")
    if "ppl" in columns:
        notes.append(
            "ppl is of the reconstruction, z drawn from the posterior, KL left out; bold only among latent systems. "
            "With Seq2Seq only ppl-bound and ppl-importance may be compared."
        )
    if any(column.startswith("BLEU") for column in columns):
        notes.append("Smoothed sentence BLEU is far from 0 for random responses and may exceed 1; see its signature.")
    if any(row.collapsed for row in rows):
        notes.append(f"‡ Collapsed: KL below {COLLAPSED_BELOW} nat in so many of its runs.")
    if any(row.cells[column].mean is None for row in rows for column in columns):
        notes.append("– Not defined for this system.")
    return notes + signature_notes(found, layout, columns)


def signature_notes(found: SplitScores, layout: Layout, columns: Sequence[str]) -> list[str]:
    """What each column is, with the corpora that it holds for where they differ."""
    notes = []
    for column in columns:
        signatures = found.signatures(column)
        for signature in sorted(set(signatures.values())):
            corpora = [layout.corpora[c] for c in layout.corpora if signatures.get(c) == signature]
            where = f" ({', '.join(corpora)})" if len(set(signatures.values())) > 1 else ""
            notes.append(f"{column}{where}: `{signature}`")
    return notes


def join(files: Sequence[Path], schema: pa.Schema) -> pa.Table:
    """The rows of several files of one schema."""
    return pa.concat_tables(
        [schema.empty_table(), *(read_parquet(file, schema).select(schema.names).cast(schema) for file in files)]
    )
