"""Tables of sentences with the last words that systems imputed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import ImputationTable
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.imputations import IMPUTATIONS
from pipeline_lib.tables.cells import Block, Section, Table, of_spec

Record = dict[str, Any]


def make(name: str, spec: ImputationTable, layout: Layout, imputations: Sequence[Path]) -> Table:
    """Make a table of imputed endings.

    The sentences are in an order that was drawn by the seed of the run, so that the first ones are a random choice.

    Args:
        imputations: `IMPUTATIONS` of every corpus, system and seed of the layout, in this order.
    """
    files = iter(imputations)
    sections, records = [], []
    for corpus, label in layout.corpora.items():
        runs = {(system, seed): next(files) for system in layout.systems for seed in layout.seeds}
        own = list(_records(corpus, layout, runs))
        records += own
        sections.append(Section(label, [_block(own, layout, spec.shown)]))
    return Table(
        **of_spec(name, spec),
        sections=sections,
        is_prose=True,
        records=records,
        notes=[f"The first sentences in an order drawn by seed {layout.seeds[0]}; the CSV has all.", *spec.notes],
    )


def _records(corpus: str, layout: Layout, runs: dict[tuple[str, int], Path]) -> Iterator[Record]:
    """Return a record for each sentence and seed, with a column for each system."""
    for seed in layout.seeds:
        tables = {system: read_parquet(runs[system, seed], IMPUTATIONS).to_pylist() for system in layout.systems}
        for rows in zip(*tables.values(), strict=True):
            imputed = {system: row["imputed"] for system, row in zip(tables, rows, strict=True)}
            known = {"sentence": rows[0]["pair"], "prefix": rows[0]["prefix"], "true": rows[0]["ending"]}
            yield {"corpus": corpus, "seed": seed} | known | imputed


def _block(records: Sequence[Record], layout: Layout, shown: int) -> Block:
    first = [record for record in records if record["seed"] == layout.seeds[0]][:shown]
    header = ["Known words", "True ending", *(system.label for system in layout.systems.values())]
    lines = [[record["prefix"], record["true"], *(record[system] for system in layout.systems)] for record in first]
    return Block("Endings", [header, *lines])
