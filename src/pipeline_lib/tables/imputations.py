"""Tables of sentences with the last words that systems imputed, and of what is known of the completed sentences."""

from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import ImputationTable
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.imputations import IMPUTATIONS
from pipeline_lib.tables.cells import Block, Section, Table, of_spec
from pipeline_lib.tables.decoded_means import estimate, item_means

Record = dict[str, Any]
Runs = dict[tuple[str, int], list[Record]]  # rows of `IMPUTATIONS` by system and seed

_VERDICTS = {  # column: decimals, and what it says
    "grammatical": (2, "grammatical: share of the completed sentences that are sentences of the grammar."),
    "topic_agrees": (2, "topic agrees: share of the grammatical ones that have a topic of the true sentence."),
    "nll_lm": (2, "nll_lm: −log p of the completed sentence under a language model that was trained by itself, nats."),
}


def make(name: str, spec: ImputationTable, layout: Layout, imputations: Sequence[Path]) -> Table:
    """Make a table of imputed endings.

    The sentences are in an order that was drawn by the seed of the run, so that the first ones are a random choice.

    Args:
        imputations: `IMPUTATIONS` of every corpus, system and seed of the layout, in this order.
    """
    files = iter(imputations)
    runs = {
        (corpus, system, seed): read_parquet(next(files), IMPUTATIONS).to_pylist()
        for corpus in layout.corpora
        for system in layout.systems
        for seed in layout.seeds
    }
    judged = [column for column in _VERDICTS if any(row[column] is not None for rows in runs.values() for row in rows)]
    sections, records = [], []
    notes = [f"The first sentences in an order drawn by seed {layout.seeds[0]}; the CSV has all."]
    for corpus, label in layout.corpora.items():
        of_corpus = {(system, seed): rows for (name, system, seed), rows in runs.items() if name == corpus}
        own = list(_records(corpus, layout, of_corpus, judged))
        records += own
        blocks = [_endings(own, layout, spec.shown)]
        if judged:
            blocks.append(Block("Means", list(_means(of_corpus, layout, judged))))
        sections.append(Section(label, blocks))
    notes += [_VERDICTS[column][1] for column in judged]
    if judged:
        notes.append("Brackets are 95 % intervals over the sentences, about one trained model alone.")
    return Table(
        **of_spec(name, spec),
        sections=sections,
        is_prose=True,
        records=records,
        notes=[*notes, *spec.notes],
    )


def _records(corpus: str, layout: Layout, runs: Runs, judged: Sequence[str]) -> Iterator[Record]:
    """Return a record for each sentence and seed, with a column for each system and for each verdict on its ending."""
    for seed in layout.seeds:
        tables = {system: runs[system, seed] for system in layout.systems}
        for rows in zip(*tables.values(), strict=True):
            of_systems = dict(zip(tables, rows, strict=True))
            imputed = {system: row["imputed"] for system, row in of_systems.items()}
            verdicts = {f"{system} {column}": row[column] for system, row in of_systems.items() for column in judged}
            known = {"sentence": rows[0]["pair"], "prefix": rows[0]["prefix"], "true": rows[0]["ending"]}
            yield {"corpus": corpus, "seed": seed} | known | imputed | verdicts


def _endings(records: Sequence[Record], layout: Layout, shown: int) -> Block:
    first = [record for record in records if record["seed"] == layout.seeds[0]][:shown]
    header = ["Known words", "True ending", *(system.label for system in layout.systems.values())]
    lines = [[record["prefix"], record["true"], *(record[system] for system in layout.systems)] for record in first]
    return Block("Endings", [header, *lines])


def _means(runs: Runs, layout: Layout, judged: Sequence[str]) -> Iterator[list[str]]:
    """Yield a line for each system, over its runs, and of several runs one for each.

    Runs hide the endings of partly the same sentences, so an interval is of one run.
    """
    yield ["", "sentences", *(column.replace("_agrees", " agrees") for column in judged)]
    for system, settings in layout.systems.items():
        parts = {settings.label: layout.seeds}
        if len(layout.seeds) > 1:
            parts |= {f"run with seed {seed}": [seed] for seed in layout.seeds}
        for name, seeds in parts.items():
            rows = [{"seed": seed, "item": row["pair"]} | row for seed in seeds for row in runs[system, seed]]
            cells = [_mean(rows, column, is_of_one_run=len(seeds) == 1) for column in judged]
            yield [name, _numbers(runs, system, seeds), *cells]


def _mean(rows: Sequence[Record], column: str, is_of_one_run: bool) -> str:
    found = estimate(item_means(rows, itemgetter(column)))
    if found is None:
        return "–"
    return (found if is_of_one_run else found._replace(half=None)).printed(_VERDICTS[column][0])


def _numbers(runs: Runs, system: str, seeds: Sequence[int]) -> str:
    return ", ".join(str(number) for number in dict.fromkeys(len(runs[system, seed]) for seed in seeds))
