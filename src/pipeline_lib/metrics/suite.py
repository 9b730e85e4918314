"""The metrics of one file of responses: those that the run's tables name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config.metrics import Metrics
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import metadata_of, read_parquet
from pipeline_lib.files.side_tables import joined
from pipeline_lib.metrics.base import Metric, RatioMetric, Score
from pipeline_lib.metrics.intervals import bootstrap_sums, by_dialogue, interval
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.named import file_of, known_metric, metric_class
from pipeline_lib.metrics.of_clusters import ClusterMetric
from pipeline_lib.metrics.of_users import UserMetric
from pipeline_lib.metrics.spoken import Spoken
from pipeline_lib.metrics.vectors import VectorMetric
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.items import DIALOGUE, parts_of
from pipeline_lib.schemas.references import REFERENCES
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.vectors.space import VectorSpace


def recorded(names: Sequence[str]) -> list[str]:
    """List the metrics that a run records.

    They are those of its tables, what shows the items of whole-set metrics, and what every table marks its rows by.

    Raises:
        PipelineError: there is no such metric.
    """
    by_item = [metric_class(name).by_item for name in names]
    return list(dict.fromkeys([*names, *(name for name in by_item if known_metric(name)), "converged"]))


def needs_vectors(names: Sequence[str]) -> bool:
    """Tell whether any of these metrics compares texts by word vectors."""
    return any([issubclass(metric_class(name), VectorMetric) for name in names])  # all of them, so that each is known


def needs_users(names: Sequence[str]) -> bool:
    """Tell whether any of these metrics compares a response with what its user said in training."""
    return any([issubclass(metric_class(name), UserMetric) for name in names])


def needs_clusters(names: Sequence[str]) -> bool:
    """Tell whether any of these metrics compares a response with all paraphrases of a cluster."""
    return any([issubclass(metric_class(name), ClusterMetric) for name in names])


def make_metrics(
    names: Sequence[str], settings: Metrics, vectors: Path | None, language: str | None = "english"
) -> list[Metric]:
    """Make metrics and what is always recorded with them.

    Args:
        names: names of metrics, each once.
        vectors: a file of `schemas.vectors`, read only where a metric needs it; None where a corpus has none.
    Raises:
        PipelineError: there is no such metric, or it needs vectors and there are none.
    """
    kinds = [metric_class(name) for name in names]
    space = VectorSpace.read(vectors) if vectors and needs_vectors(names) else None
    metrics = [kind.make(settings, space, language) for kind in kinds]
    return [*metrics, *(one for metric in metrics for one in metric.companions())]


@dataclass(frozen=True)
class Files:
    """What is read to score a file of responses; None where the corpus or the metrics have no such file.

    Attributes:
        responses: of `schemas.responses`; its metadata ``active_units``, ``converged`` and ``apart`` are values of the
            whole file.
        vectors: of `schemas.vectors`.
        references: of `schemas.references`: further ones of the split, beside the response of each example.
        only: of `schemas.examples`, a part of those that have responses; None: all are scored. A part has no active
            units, as their number in the file is of the whole split.
        users, train: of `schemas.users`, and the training examples, for metrics of users.
        clusters: of `schemas.references`: the other paraphrases of each example's cluster, for metrics of clusters.
        examples: of `schemas.examples`, all that have responses: of which dialogue each is; None: each of its own.
    """

    responses: Path
    vectors: Path | None = None
    references: Path | None = None
    only: Path | None = None
    users: Path | None = None
    train: Path | None = None
    clusters: Path | None = None
    examples: Path | None = None


def score_file(
    files: Files,
    names: Sequence[str],
    settings: Metrics,
    seed: int,
    language: str | None = "english",
    importance_samples: int = 0,
) -> tuple[list[dict[str, Any]], pa.Table]:
    """Score each ``selection`` of a file of responses separately.

    Args:
        names: metrics of the run's tables; one that needs a file that ``files`` lacks is undefined.
        seed: seed of the bootstrap.
        language: the language of stop words, as the tokeniser of the corpus gives it; None: none are known.
        importance_samples: draws behind importance-weighted likelihoods, named in their signatures; 0: none.
    Returns:
        rows of `schemas.scores` without corpus, split, system and seed; `schemas.items` in order of example_id and
        sample, for tests between systems.
    Raises:
        PipelineError: no responses, one of them twice, likelihoods in only some rows, or no such metric.
    """
    table = _responses(files)
    metadata = metadata_of(table)
    apart = metadata.get("apart")
    metrics = make_metrics([*recorded(names), *([apart] if apart else [])], settings, files.vectors, language)
    items_of, several = _reader(files, metadata), files.references is not None
    rows, tables = [], []
    for selection in sorted(pc.unique(table["selection"]).to_pylist()):
        chosen = table.filter(pc.equal(table["selection"], selection))
        _check_examples(chosen, files.responses)
        items = items_of(chosen)
        scores = [_score(metric, items) for metric in metrics]
        limits = _limits(metrics, scores, items, settings.bootstrap, seed)
        rows += [
            _row(selection, metric.name, score, _signature(metric, several, importance_samples), low, high)
            for metric, score, (low, high) in zip(metrics, scores, limits, strict=True)
        ]
        tables.append(_per_item(chosen, metrics, scores, items))
    return rows, pa.concat_tables(tables)


def _responses(files: Files) -> pa.Table:
    """Read the responses that are to be scored."""
    table = read_parquet(files.responses, RESPONSES)
    if not len(table):
        raise PipelineError(
            "no responses",
            where=files.responses,
            expected="one row per example",
            remedy="delete the file and generate again",
        )
    if files.only is None:
        return table
    part = read_parquet(files.only, EXAMPLES, ["example_id"])["example_id"].combine_chunks()
    return table.filter(pc.is_in(table["example_id"], part))


def _reader(files: Files, metadata: Mapping[str, str]) -> Callable[[pa.Table], Items]:
    """Return what makes items of responses, with all that the other files say of them."""
    units = int(metadata["active_units"]) if files.only is None and "active_units" in metadata else None
    converged = {"true": True, "false": False}.get(metadata.get("converged", ""))
    further, of_cluster = (
        None if path is None else read_parquet(path, REFERENCES) for path in (files.references, files.clusters)
    )
    spoken = Spoken.read(files.users, files.train) if files.users and files.train else None

    dialogue_of = (
        None if files.examples is None else read_parquet(files.examples, EXAMPLES, ["example_id", "dialogue_id"])
    )

    def items(chosen: pa.Table) -> Items:
        found = Items.from_table(chosen, further)
        found = replace(found, active_units=units, converged=converged, apart=metadata.get("apart", ""))
        if dialogue_of is not None:
            found = replace(found, dialogue=_dialogues(chosen["example_id"], dialogue_of))
        if spoken and files.users:
            found = replace(found, spoken=spoken, user=joined(chosen["example_id"].to_numpy(), files.users, "user"))
        if of_cluster is not None:
            found = replace(found, of_cluster=Items.from_table(chosen, of_cluster))
        return found

    return items


def _dialogues(example: pa.ChunkedArray, dialogue_of: pa.Table) -> np.ndarray:
    """Number the dialogues of (B,) examples from 0, by ascending example."""
    order = np.argsort(example.to_numpy(), kind="stable")
    place = pc.index_in(example.take(order), value_set=dialogue_of["example_id"].combine_chunks())
    found = np.empty(len(example), np.int64)
    found[order] = dialogue_of["dialogue_id"].take(place).combine_chunks().dictionary_encode().indices.to_numpy()
    return found


def _signature(metric: Metric, several: bool, importance_samples: int) -> str:
    parts = [metric.signature]
    if metric.of_draws and importance_samples:
        parts.append(f"samples:{importance_samples}")
    if metric.of_references and several:
        parts.append(metric.several)
    return "|".join(parts)


def _score(metric: Metric, items: Items) -> Score:
    """Score the items; a metric of responses is undefined for a system that makes none."""
    if not items.answered and metric.of_responses:
        return Score(None, None, 0)
    score = metric(items)
    if fault := _fault(score, metric, items):
        raise PipelineError(
            f"the metric {metric.name!r} returned {fault}",
            where=file_of(type(metric)),
            expected="a Score of finite numbers, with a value for each response or parts for each example, where it "
            "has them; None as the mean of an undefined value",
            remedy="correct the metric (docs/adding-a-metric.md)",
        )
    return score


def _fault(score: object, metric: Metric, items: Items) -> str:
    """Say what is wrong with the result of a metric; empty: nothing is.

    An infinite mean is right for a perplexity that overflows. It cannot lead a column.
    """
    if not isinstance(score, Score):
        return f"{score!r:.80}, which is no Score"
    if score.mean is not None and not np.isfinite(score.mean) and not (metric.better == "lower" and score.mean > 0):
        return f"the value {score.mean}"
    for what, values, rows in (("per_item", score.per_item, len(items)), ("parts", score.parts, items.n_examples)):
        if values is not None and len(values) != rows:
            return f"{len(values)} rows of {what} for {rows} {'responses' if what == 'per_item' else 'examples'}"
        if values is not None and not np.isfinite(values).all():
            return f"{int((~np.isfinite(values)).sum())} values in {what} that are not finite"
    return ""


def _check_examples(table: pa.Table, path: Path) -> None:
    counts = table.group_by(["example_id", "sample"]).aggregate([([], "count_all")])
    if len(counts) != len(table):
        repeated = next(row for row in counts.to_pylist() if row["count_all"] > 1)
        raise PipelineError(
            f"sample {repeated['sample']} of example {repeated['example_id']} occurs more than once",
            where=f"{path}, selection {table['selection'][0].as_py()!r}",
            expected="one response per example, sample and selection",
            remedy="remove the repeated rows, or delete the file and generate again",
        )


def _limits(
    metrics: Sequence[Metric], scores: Sequence[Score], items: Items, times: int, seed: int
) -> list[tuple[float | None, float | None]]:
    """Resample the dialogues, once for all metrics: an interval each; none for distinct, groups and active units."""
    dialogues = items.dialogues
    if dialogues.max() < 1:  # one dialogue says nothing of others
        return [(None, None)] * len(metrics)
    added: dict[str, np.ndarray] = {}
    for metric, score in zip(metrics, scores, strict=True):
        if score.per_item is not None:
            values = items.by_example(score.per_item)
            added[metric.name] = np.stack([values, np.ones_like(values)], 1)
        elif score.parts is not None:
            added[metric.name] = score.parts
    parts = [by_dialogue(values, dialogues) for values in added.values()]
    sums = dict(zip(added, bootstrap_sums(parts, times, seed), strict=True)) if added else {}
    return [
        (None, None)
        if metric.name not in sums
        else interval(metric.value(sums[metric.name]))
        if isinstance(metric, RatioMetric)
        else interval(sums[metric.name][:, 0] / sums[metric.name][:, 1])
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


def _per_item(table: pa.Table, metrics: Sequence[Metric], scores: Sequence[Score], items: Items) -> pa.Table:
    """Add the columns of `schemas.items`."""
    example = np.arange(len(items)) if items.example is None else items.example
    if items.dialogue is not None:
        table = table.append_column(DIALOGUE, pa.array(items.dialogue))
    for metric, score in zip(metrics, scores, strict=True):
        if score.per_item is not None and metric.name not in table.column_names:  # kl and nll are there
            table = table.append_column(metric.name, pa.array(score.per_item))
        if score.parts is not None and "|" not in metric.name:  # no table shows such
            own = score.parts[example]
            column = pa.FixedSizeListArray.from_arrays(pa.array(own.ravel()), own.shape[1])
            table = table.append_column(parts_of(metric.name), column.cast(pa.list_(pa.float64())))
    return table.sort_by([("example_id", "ascending"), ("sample", "ascending")])
