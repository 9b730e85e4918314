"""Tables of negatives: a sheet to audit them by, and what is known of them all."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import NegativeTable
from pipeline_lib.corpora.questions import Language, Meaning, whole_language
from pipeline_lib.examples.audit import VERDICT
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.contrasts import CONTRASTS
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.tables.cells import Block, Section, Table, of_spec
from pipeline_lib.text.turns import turns_apart

_SHOWN = {  # column of the sheet: heading in the table
    "context": "context",
    "response": "response",
    "negative": "negative",
    "source": "source",
    "similarity": "similarity",
    "keyword_negative": "its keyword",
}


def make(name: str, spec: NegativeTable, layout: Layout, negatives: Sequence[Path], examples: Sequence[Path]) -> Table:
    """Make a table of negatives.

    Args:
        negatives, examples: `CONTRASTS` and `EXAMPLES` of the split, for each corpus.
    Returns:
        A table whose CSV has `sheet` negatives drawn at random, with an empty column for a verdict; filled in, it may
        be given back (`contrasts.audit`).
    """
    sections, records = [], []
    notes: list[str] = []
    for (corpus, label), of_corpus, given in zip(layout.corpora.items(), negatives, examples, strict=True):
        texts = read_parquet(given, EXAMPLES, ["example_id", "context", "response"])
        table = texts.join(read_parquet(of_corpus, CONTRASTS), "example_id").sort_by("example_id")
        drawn = np.random.default_rng(spec.seed).permutation(len(table))[: spec.sheet]
        rows = [_told(row) for row in table.take(pa.array(drawn)).to_pylist()]
        records += [{"corpus": corpus} | row | {VERDICT: ""} for row in rows]
        shown = [row | {"similarity": f"{row['similarity']:.3f}"} for row in rows[: spec.shown]]
        lines = [list(_SHOWN.values()), *([row[key] for key in _SHOWN] for row in shown)]
        sections.append(Section(label, [Block("", lines)]))
        notes += [f"{label}: {fact}" for fact in facts(table)]
    notes.append(f"Negatives of the split {spec.split}, drawn at random with seed {spec.seed}.")
    notes.append("Similarity: cosine of the TF-IDF vectors of context and negative.")
    return Table(**of_spec(name, spec), sections=sections, is_prose=True, records=records, notes=[*notes, *spec.notes])


def facts(table: pa.Table) -> Iterator[str]:
    """Say where negatives come from and how like their contexts they are, and on generated questions what they mean.

    Args:
        table: `CONTRASTS` with context and response.
    """
    for source in pc.unique(table["source"]).to_pylist():
        own = table.filter(pc.equal(table["source"], source))
        similarity = pc.mean(own["similarity"]).as_py()
        yield f"{len(own):,} of {len(table):,} negatives are {source}, of mean similarity {similarity:.2f}."
    language = whole_language()
    meanings = [_meanings(language, text) for text in table["context"].to_pylist()]
    if not all(meanings):
        return
    others = [_meanings(language, text) for text in table["negative"].to_pylist()]
    same = np.mean([bool(own & other) for own, other in zip(meanings, others, strict=True)])
    things = [{meaning.keyword for meaning in found} for found in meanings]
    other_things = [{meaning.keyword for meaning in found} for found in others]
    shared = np.mean([bool(own & other) for own, other in zip(things, other_things, strict=True)])
    pairs = zip(table["keyword_in"].to_pylist(), things, strict=True)
    found = np.mean([any(keyword in thing for thing in own) for keyword, own in pairs])
    yield f"{same:.3f} of the negatives mean what their contexts mean (false negatives)."
    yield f"{shared:.3f} of the negatives are about what their contexts are about."
    yield f"The best keyword of {found:.3f} of the contexts is the thing that they ask about."


def _meanings(language: Language, text: str) -> set[Meaning]:
    return {reading.meaning for reading in language.readings(text)}


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"context": turns_apart(row["context"]), "similarity": round(row["similarity"], 3)}
