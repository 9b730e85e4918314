"""All metrics of one file of responses."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config.metrics import Metrics
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import parquet_metadata, read_parquet
from pipeline_lib.metrics.average import Average
from pipeline_lib.metrics.base import Metric, RatioMetric, Score
from pipeline_lib.metrics.bleu import MAX_ORDER, SentenceBleu, Smoothing, Weights
from pipeline_lib.metrics.coherence import Coherence
from pipeline_lib.metrics.corpus_bleu import CorpusBleu
from pipeline_lib.metrics.distinct import Distinct
from pipeline_lib.metrics.extrema import Extrema
from pipeline_lib.metrics.greedy import Greedy
from pipeline_lib.metrics.group_recovery import GroupRecovery
from pipeline_lib.metrics.intervals import bootstrap_sums, interval
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.kl import KL
from pipeline_lib.metrics.length import Length
from pipeline_lib.metrics.perplexity import Perplexity
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.vectors.space import VectorSpace

ACTIVE_UNITS = "active-units|variance:>0.01|v:1"  # measured where the model is, when responses are generated


def all_metrics(space: VectorSpace | None, settings: Metrics, language: str | None = "english") -> list[Metric]:
    """Every metric of the workflow; the BLEU variant that the settings choose is named BLEU-1 to BLEU-4.

    Without a ``space``, those that compare word vectors are left out.
    """
    of_vectors: list[Metric] = []
    if space:
        coherence = Coherence(space, settings.coherence_stopwords, language)
        of_vectors = [Average(space), Greedy(space), Extrema(space), coherence]
    return [
        *(Perplexity(kind) for kind in ("reconstruction", "bound", "importance")),
        KL(),
        Distinct(1),
        Distinct(2),
        Length(),
        *_bleu(settings),
        CorpusBleu(),
        *of_vectors,
        GroupRecovery("ARI"),
        GroupRecovery("NMI"),
    ]


def score_file(
    responses: Path, vectors: Path | None, settings: Metrics, seed: int, language: str | None = "english"
) -> tuple[list[dict[str, Any]], pa.Table]:
    """Score each ``selection`` of a file of responses separately.

    Args:
        responses: a file of `schema.RESPONSES`; its metadata ``active_units`` becomes a score.
        vectors: a file of `vectors_schema`; None: metrics that need word vectors are left out.
        seed: of the bootstrap.
        language: of stop words, as the tokeniser of the corpus gives it; None: none are known.
    Returns:
        rows of `schema.SCORES` without corpus, split, system and seed; the responses with one float64 column more
        per per-item metric, in order of example_id and sample, for paired tests.
    Raises:
        PipelineError: no responses, one of them twice, or likelihoods in only some rows.
    """
    table = read_parquet(responses, RESPONSES)
    if not len(table):
        raise PipelineError(
            "no responses", where=responses, expected="one row per example", remedy="delete the file and generate again"
        )
    metrics = all_metrics(VectorSpace.read(vectors) if vectors else None, settings, language)
    active_units = parquet_metadata(responses).get("active_units")
    rows, tables = [], []
    for selection in sorted(pc.unique(table["selection"]).to_pylist()):
        chosen = table.filter(pc.equal(table["selection"], selection))
        _check_examples(chosen, responses)
        items = Items.from_table(chosen)
        scores = [metric(items) for metric in metrics]
        limits = _limits(metrics, scores, items, settings.bootstrap, seed)
        rows += [
            _row(selection, metric.name, score, metric.signature, low, high)
            for metric, score, (low, high) in zip(metrics, scores, limits, strict=True)
        ]
        if active_units is not None:
            rows.append(
                _row(
                    selection,
                    "active-units",
                    Score(float(active_units), None, items.n_examples),
                    ACTIVE_UNITS,
                    None,
                    None,
                )
            )
        tables.append(_per_item(chosen, metrics, scores))
    return rows, pa.concat_tables(tables)


def _bleu(settings: Metrics) -> list[SentenceBleu]:
    chosen = (settings.bleu_smoothing, settings.bleu_weights)
    return [
        SentenceBleu(order, smoothing, weights, f"BLEU-{order}" if (smoothing, weights) == chosen else "")
        for smoothing in get_args(Smoothing)
        for weights in get_args(Weights)
        for order in range(1, MAX_ORDER + 1)
    ]


def _check_examples(table: pa.Table, path: Path) -> None:
    counts = table.group_by(["example_id", "sample"]).aggregate([([], "count_all")])
    if len(counts) != len(table):
        repeated = next(row for row in counts.to_pylist() if row["count_all"] > 1)
        raise PipelineError(
            f"sample {repeated['sample']} of example {repeated['example_id']} stands more than once",
            where=f"{path}, selection {table['selection'][0].as_py()!r}",
            expected="one response per example, sample and selection",
            remedy="remove the repeated rows, or delete the file and generate again",
        )


def _limits(
    metrics: Sequence[Metric], scores: Sequence[Score], items: Items, times: int, seed: int
) -> list[tuple[float | None, float | None]]:
    """Interval of each metric over examples, all from the same resamples; none for distinct and group recovery."""
    parts: dict[str, np.ndarray] = {}
    for metric, score in zip(metrics, scores, strict=True):
        if score.per_item is not None:
            parts[metric.name] = items.by_example(score.per_item)[:, None]
        elif isinstance(metric, RatioMetric) and (part := metric.parts(items)) is not None:
            parts[metric.name] = part
    sums = dict(zip(parts, bootstrap_sums(list(parts.values()), times, seed), strict=True))
    return [
        (None, None)
        if metric.name not in sums
        else interval(metric.value(sums[metric.name]))
        if isinstance(metric, RatioMetric)
        else interval(sums[metric.name][:, 0] / items.n_examples)
        for metric in metrics
    ]


def _row(
    selection: str, name: str, score: Score, signature: str, low: float | None, high: float | None
) -> dict[str, Any]:
    return {
        "selection": selection,
        "metric": name,
        "value": score.mean,
        "low": low,
        "high": high,
        "n": score.n,
        "n_empty": score.n_empty,
        "n_oov": score.n_oov,
        "signature": signature,
    }


def _per_item(table: pa.Table, metrics: Sequence[Metric], scores: Sequence[Score]) -> pa.Table:
    for metric, score in zip(metrics, scores, strict=True):
        if score.per_item is not None and metric.name not in table.column_names:  # kl is there already
            table = table.append_column(metric.name, pa.array(score.per_item))
    return table.sort_by([("example_id", "ascending"), ("sample", "ascending")])
