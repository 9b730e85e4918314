"""Tables of texts that systems decoded from their latent spaces: paths, samples and reconstructions."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import DecodedTable
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.decoded import DECODED
from pipeline_lib.tables.cells import EMPTY, Block, Section, Table, of_spec
from pipeline_lib.tables.decoded_means import Record, difference, distinct_share, estimate, item_means

Rows = Sequence[Record]
ITEMS = {"point": "path", "prior": "sample", "input": "sentence"}  # what an item is, by the kind of its first row
KINDS = {"point": "between the ends", "prior": "z", "stretched": "A z", "mean": "mean", "draw": "draws"}

# heading of a mean, its decimals, and the value of a row
MEANS: list[tuple[str, int, Callable[[Record], float | None]]] = [
    ("grammatical", 2, lambda row: row["grammatical"]),
    ("topic agrees", 2, lambda row: row["topic_agrees"]),
    ("same length", 2, lambda row: row["same_length"]),
    ("BLEU-4", 2, lambda row: row["bleu"]),
    ("words", 1, lambda row: len(row["text"].split())),
    ("nll_lm", 2, lambda row: row["nll_lm"]),
    ("|z|", 2, lambda row: row["norm"]),
]
NOTES = {
    "grammatical": "grammatical: share of the texts that are sentences of the grammar.",
    "topic agrees": "topic agrees: of the grammatical texts beside {others}, where that is grammatical too, the share "
    "with a topic in common; a mean over paths, samples or inputs.",
    "nll_lm": "nll_lm: −log p of a text under a language model that was trained by itself, nats, end token counted.",
    "BLEU-4": "BLEU-4: smoothed sentence BLEU to the input; a text that equals it scores up to 1.117.",
}
OTHERS = {
    "path": "one of the ends of their path",
    "sample": "the text of z itself",
    "sentence": "their input",
}


def make(
    name: str,
    spec: DecodedTable,
    layout: Layout,
    analysis: Sequence[Path],
    others: Layout | None,
    beside: Sequence[Path],
) -> Table:
    """Make a table of decoded texts.

    Args:
        analysis: `DECODED` of every corpus, system and seed of the layout, in this order.
        others: the layout of the table that ``spec.beside`` names, if it names one, and ``beside`` its analyses.
    """
    records = list(_records(layout, analysis))
    compared = list(_records(others, beside)) if others is not None else []
    item = ITEMS[records[0]["kind"]]
    sections: list[Section] = []
    differences: list[str] = []
    for corpus, label in layout.corpora.items():
        rows = [row for row in records if row["corpus"] == corpus]
        shown = [row for row in rows if row["seed"] == layout.seeds[0] and 0 < row["item"] - spec.after <= spec.shown]
        blocks = [*BLOCKS[item](shown), Block("Means", list(_means(rows, layout)))]
        sections.append(Section(label, blocks))
        differences += _differences(rows, [row for row in compared if row["corpus"] == corpus], label)
    return Table(
        **of_spec(name, spec),
        sections=sections,
        is_prose=True,
        records=_long_form(records, item),
        notes=[*differences, *_notes(records, item, layout), *spec.notes],
    )


def _records(layout: Layout, analysis: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Yield the rows of every run with its corpus, system, label and seed."""
    runs = [(corpus, system, seed) for corpus in layout.corpora for system in layout.systems for seed in layout.seeds]
    for (corpus, system, seed), path in zip(runs, analysis, strict=True):
        label = layout.systems[system].label
        for row in read_parquet(path, DECODED).to_pylist():
            yield {"corpus": corpus, "system": system, "label": label, "seed": seed} | row


def _long_form(records: Rows, item: str) -> list[dict[str, Any]]:
    """Name the item for what it is, and leave out the columns that have no value in this kind of table."""
    empty = {name for name in DECODED.names if all(row[name] is None for row in records)}
    names = {"item": item} | ({"place": "point"} if item == "path" else {})
    return [{names.get(key, key): value for key, value in row.items() if key not in empty} for row in records]


# --- texts ---------------------------------------------------------------------------------------------------------


def _paths(rows: Rows) -> Iterator[Block]:
    """Print a block for each path: its texts, neighbours of one text merged, and the sentences that it lies between."""
    several = len({row["system"] for row in rows}) > 1
    for (label, item), group in groupby(rows, key=itemgetter("label", "item")):
        path = list(group)
        lines = [["t", "text", "grammatical"], *_merged(path)]
        first, last = path[0]["input"], path[-1]["input"]
        if first is not None:
            lines = [lines[0], ["first input", first, ""], *lines[1:], ["last input", last, ""]]
        if path[0]["grammatical"] is None:
            lines = [line[:2] for line in lines]
        yield Block(f"{label}, path {item}" if several else f"Path {item}", lines)


def _merged(path: Rows) -> Iterator[list[str]]:
    """Yield the range of t, the text and whether it is grammatical for each stretch of a path with one text."""
    for text, stretch in groupby(path, key=itemgetter("text")):
        points = list(stretch)
        ends = dict.fromkeys(f"{row['t']:.3g}" for row in (points[0], points[-1]))
        yield ["–".join(ends), text or EMPTY, "yes" if points[0]["grammatical"] else "no"]


def _samples(rows: Rows) -> Iterator[Block]:
    """Print the samples in one block: a column for each system or, of one whose z are stretched, for z and A z."""
    labels = list(dict.fromkeys(row["label"] for row in rows))
    stretched = any(row["kind"] == "stretched" for row in rows)
    for columns in [[label] for label in labels] if stretched else [labels]:
        of_columns = [row for row in rows if row["label"] in columns]
        header = ["|z|", "z", "|A z|", "A z"] if stretched else columns
        lines = [["sample", *header]]
        for item, group in groupby(sorted(of_columns, key=itemgetter("item")), key=itemgetter("item")):
            texts = [[*([f"{row['norm']:.2f}"] if stretched else []), row["text"] or EMPTY] for row in group]
            lines.append([str(item), *(text for part in texts for text in part)])
        yield Block("Samples" if len(labels) == len(columns) else columns[0], lines)


def _reconstructions(rows: Rows) -> Iterator[Block]:
    """Print a block for each sentence: the input, the decoded mean and the decoded draws of each system."""
    labels = list(dict.fromkeys(row["label"] for row in rows))
    for item, group in groupby(sorted(rows, key=itemgetter("item", "place")), key=itemgetter("item")):
        places = [list(at_place) for _, at_place in groupby(group, key=itemgetter("place"))]
        lines = [["", *labels]]
        for place, texts in enumerate(places):
            name = texts[0]["kind"] if place < 2 else f"draw {place - 1}"
            lines.append([name, *(row["text"] or EMPTY for row in texts)])
        yield Block(f"Sentence {item}", lines)


BLOCKS: dict[str, Callable[[Rows], Iterator[Block]]] = {
    "path": _paths,
    "sample": _samples,
    "sentence": _reconstructions,
}


# --- means ---------------------------------------------------------------------------------------------------------


def counted(rows: Rows) -> list[Record]:
    """Choose the texts that means are over: decoded ones, of a path those between its ends."""
    return [row for row in rows if row["kind"] != "input" and row["t"] not in (0.0, 1.0)]


def _means(rows: Rows, layout: Layout) -> Iterator[list[str]]:
    """Yield a line for each system and kind of text; of several runs, one for each run below it."""
    decoded = counted(rows)
    shown = [mean for mean in MEANS if any(mean[2](row) is not None for row in decoded)]
    yield ["", "texts", "different", *(heading for heading, _, _ in shown)]
    for system, settings in layout.systems.items():
        for kind in dict.fromkeys(row["kind"] for row in decoded):
            own = [row for row in decoded if row["system"] == system and row["kind"] == kind]
            parts = {f"{settings.label}, {KINDS[kind]}": own}
            if len(layout.seeds) > 1:
                parts |= {f"run with seed {seed}": [row for row in own if row["seed"] == seed] for seed in layout.seeds}
            for name, part in parts.items():
                found = [(estimate(item_means(part, value)), places) for _, places, value in shown]
                means = [one.printed(places) if one else "–" for one, places in found]
                yield [name, str(len(part)), f"{distinct_share(part):.3f}", *means]


def _differences(rows: Rows, others: Rows, corpus: str) -> Iterator[str]:
    """Say by how much the share of grammatical texts differs from that of each system of another table."""
    first, second = counted(rows), counted(others)
    for label in dict.fromkeys(row["label"] for row in first):
        for other in dict.fromkeys(row["label"] for row in second):
            means = [
                item_means([row for row in part if row["label"] == name], lambda row: row["grammatical"])
                for part, name in ((first, label), (second, other))
            ]
            found = difference(*means)
            if found is not None:
                verdict = "excludes 0" if found.excludes_zero else "does not exclude 0"
                yield (
                    f"Share of grammatical texts on {corpus}, {label} minus {other}: {found.printed(2, sign=True)}, "
                    f"unpaired. The interval {verdict}."
                )


def _notes(records: Rows, item: str, layout: Layout) -> Iterator[str]:
    decoded = counted(records)
    for heading, _, value in MEANS:
        if heading in NOTES and any(value(row) is not None for row in decoded):
            yield NOTES[heading].format(others=OTHERS[item])
    several = " Means are over the runs; the texts above are of the first run." if len(layout.seeds) > 1 else ""
    yield (
        f"different: share of different texts in a run.{several} Brackets are 95 % intervals over the {item}s, about "
        "these trained models: they say nothing of models that were not trained."
    )
