"""Tables of responses that a system gives when it is told other keywords of the context, and of what that changes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.analyses.measures import standard_error
from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import KeywordTable
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.metrics.bleu import Bleu1
from pipeline_lib.metrics.intervals import LEVEL
from pipeline_lib.metrics.items import Items
from pipeline_lib.schemas.keyword_choice import KEYWORD_CHOICE, SOURCES
from pipeline_lib.tables.cells import EMPTY, Block, Section, Table, of_spec
from pipeline_lib.text.turns import turns_apart

_TOLD = {"textrank": "best of the input", "random": "random", "none": "none", "reference": "of the reference"}
_BLEU = Bleu1("current", "onehot")
_WIDTH = NormalDist().inv_cdf((1 + LEVEL) / 2)  # half an interval in standard errors


def make(name: str, spec: KeywordTable, layout: Layout, choices: Sequence[Path]) -> Table:
    """Make a table of keywords.

    Args:
        choices: files of `KEYWORD_CHOICE`, those of the first corpus first, in the order of the layout's systems.
    Returns:
        A table whose CSV has a row for each context and keyword of the analysis.
    """
    files = iter(choices)
    sections, records = [], []
    notes: list[str] = []
    for corpus, corpus_label in layout.corpora.items():
        for system, settings in layout.systems.items():
            table = read_parquet(next(files), KEYWORD_CHOICE)
            rows = _rows(table)
            records += [{"corpus": corpus, "system": system, "label": settings.label} | row for row in rows]
            by_example: dict[int, list[dict[str, Any]]] = {example: [] for example in _drawn(table, spec)}
            for row in rows:
                if row["example_id"] in by_example:
                    by_example[row["example_id"]].append(row)
            blocks = [_block(own) for own in by_example.values()]
            sections.append(Section(f"{corpus_label}, {settings.label}", blocks))
            notes += effects(table, f"{corpus_label}, {settings.label}")
    notes += [
        f"The run with seed {layout.seeds[0]}; contexts drawn at random with seed {spec.seed}.",
        "Uptake: the share of responses that have the keyword in them, with Wilson's interval.",
        f"BLEU-1: `{_BLEU.signature}`. Intervals: 95 %, over contexts.",
    ]
    return Table(**of_spec(name, spec), sections=sections, is_prose=True, records=records, notes=[*notes, *spec.notes])


def effects(table: pa.Table, of: str) -> Iterator[str]:
    """Say for each source of keywords how often the keyword is in the response, and how that changes BLEU-1.

    Differences are from the best keyword of the input, context by context, with the normal approximation of their mean.
    Shares have Wilson's interval, which has a width where none or all of the responses have the keyword.
    """
    parts = {source: table.filter(pc.equal(table["source"], source)).sort_by("example_id") for source in SOURCES}
    bleu = {source: _bleu(part) for source, part in parts.items()}
    for source, part in parts.items():
        said = [] if source == "none" else [f"uptake {_share(_uptake(part))}"]
        said.append(f"BLEU-1 {bleu[source].mean():.3f}")
        if source != "textrank":
            said.append(f"{_with_interval(bleu[source] - bleu['textrank'], '+')} against the best")
        yield f"{of}; keyword {_TOLD[source]}: {', '.join(said)}, {len(part):,} contexts."


def _bleu(part: pa.Table) -> np.ndarray:
    score = _BLEU(Items.of(part["context"], part["reference"], part["response"]))
    assert score.per_item is not None
    return score.per_item


def _uptake(part: pa.Table) -> list[bool]:
    pairs = zip(part["keyword"].to_pylist(), part["response"].to_pylist(), strict=True)
    return [keyword in response.split() for keyword, response in pairs]


def _share(found: Sequence[bool]) -> str:
    from scipy.stats import binomtest

    interval = binomtest(sum(found), len(found)).proportion_ci(LEVEL, "wilson")
    return f"{sum(found) / len(found):.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _with_interval(values: np.ndarray, sign: str = "") -> str:
    mean, error = round(float(values.mean()), 3) or 0.0, standard_error(values)  # not -0.000
    half = "" if error is None else f" ± {_WIDTH * error:.3f}"
    return f"{mean:{sign}.3f}{half}".replace("-", "−")


def _drawn(table: pa.Table, spec: KeywordTable) -> list[int]:
    ids = np.unique(table["example_id"].to_numpy())
    chosen: list[int] = (
        np.random.default_rng(spec.seed).choice(ids, min(spec.contexts, len(ids)), replace=False).tolist()
    )
    return chosen


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    return [row | {"context": turns_apart(row["context"])} for row in table.to_pylist()]


def _block(rows: Sequence[dict[str, Any]]) -> Block:
    lines = [["keyword", "", "response"]]
    lines += [[_TOLD[row["source"]], row["keyword"] or "–", row["response"] or EMPTY] for row in rows]
    return Block(f"Input: {rows[0]['context']}", lines, introduction="The reference", listed=[rows[0]["reference"]])
