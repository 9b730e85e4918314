"""The sweep: what each system made of a generated corpus, with intervals, and how one-to-many that corpus truly is.

One file for each point, so that a rate can be added to the sweep without touching the others.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipeline_lib.analyses.measures import standard_error
from pipeline_lib.analyses.needs import Needs
from pipeline_lib.config.sweep import SWEPT, Sweep
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import parquet_metadata, read_json, read_parquet
from pipeline_lib.metrics.collection import collect
from pipeline_lib.metrics.intervals import error_of_interval
from pipeline_lib.metrics.uptake import uptake
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.significance.margins import half_interval

UPTAKE = "uptake"
INFERRED = "ARI, response given"  # of the group that the system tells with the response in hand
METRICS = (*SWEPT, UPTAKE, INFERRED)
_TEXTS = ["context", "response"]
_GROUPS = pa.schema([pa.field("group", pa.int16()), pa.field("label", pa.int32())])  # as in `latents_schema`

POINT = pa.schema(
    [
        pa.field("corpus", pa.string(), nullable=False),
        # of the corpus, the same in each row: means over different training examples
        pa.field("responses_per_context", pa.float64(), nullable=False),
        pa.field("contexts_per_response", pa.float64(), nullable=False),
        pa.field("system", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),  # one of METRICS
        pa.field("value", pa.float64(), nullable=False),  # mean over runs
        pa.field("low", pa.float64(), nullable=False),  # 95 % interval over runs and items
        pa.field("high", pa.float64(), nullable=False),
        pa.field("of_runs", pa.list_(pa.float64()), nullable=False),  # the value of each run, in the order of the seeds
    ]
)


class Options(Sweep):
    """The generated corpus at other rates of one-to-many and many-to-one data."""


def needs(options: Options) -> Needs:
    return Needs(None)


class Measured(NamedTuple):
    """One value of one run, and its standard error over the items; 0 where a metric has none."""

    value: float
    error: float = 0.0


class Estimate(NamedTuple):
    """Mean over runs with its 95 % interval."""

    value: float
    low: float
    high: float


def point(
    scores: Sequence[Path],
    expect: Sequence[str],
    items: Sequence[Path],
    groups: Mapping[str, Sequence[Path]],
    counts: Path,
) -> pa.Table:
    """Collect everything that is drawn of one corpus.

    Args:
        scores: `SCORES` of the test split, one file for each system and seed.
        expect: ``corpus/test/system/seed`` of each of them.
        items: the scored responses of the same runs.
        groups: system -> files of `latents_schema`, one per run, for systems that have groups.
        counts: counts of the corpus, as Table 1 has them.
    Returns:
        POINT table; a system has no row for a metric that it does not define.
    Raises:
        PipelineError: a run or a metric is missing, or is defined in only some runs of a system.
    """
    measured: dict[tuple[str, str], list[Measured | None]] = defaultdict(list)
    for row in _scored(scores, expect):
        measured[row["system"], row["metric"]].append(_of_score(row))
    for file in items:
        measured[parquet_metadata(file)["system"], UPTAKE].append(_uptake(file))
    for system, files in groups.items():
        measured[system, INFERRED] = [_agreement(file) for file in files]
    of_corpus = _true_rates(counts)
    rows = []
    for (system, metric), runs in measured.items():
        if known := [run for run in runs if run is not None]:
            _check_complete(len(known), len(runs), f"{of_corpus['corpus']}, {system}, {metric}")
            estimate = over_runs(known)._asdict()
            of_runs = [run.value for run in known]
            rows.append(of_corpus | {"system": system, "metric": metric, "of_runs": of_runs} | estimate)
    return pa.Table.from_pylist(rows, POINT)


def over_runs(runs: Sequence[Measured]) -> Estimate:
    """Return the mean and 95 % interval of a value whose runs share their items.

    Without an error over items this is the t interval over runs; of one run, the normal interval over items.
    """
    values, errors = np.array(runs, np.float64).T
    mean, half = float(values.mean()), half_interval(values, errors)
    return Estimate(mean, mean - half, mean + half)


def _scored(scores: Sequence[Path], expect: Sequence[str]) -> list[dict[str, Any]]:
    rows = collect(list(scores), list(expect)).to_pylist()
    if missing := sorted(set(SWEPT) - {row["metric"] for row in rows}):
        raise PipelineError(
            f"no score is named {missing[0]!r}",
            where=scores[0].parents[2],
            expected="; ".join(SWEPT),
            remedy="delete the score files of this corpus and run the same command again",
        )
    return [row for row in rows if row["metric"] in SWEPT]


def _of_score(row: Mapping[str, Any]) -> Measured | None:
    if row["value"] is None:
        return None
    return (
        Measured(row["value"])
        if row["low"] is None
        else Measured(row["value"], error_of_interval(row["low"], row["high"]))
    )


def _uptake(file: Path) -> Measured | None:
    table = read_parquet(file, RESPONSES, _TEXTS)
    taken = np.array(uptake(table["context"], table["response"]), np.float64)
    return Measured(float(taken.mean()), standard_error(taken) or 0.0) if len(taken) else None


def _agreement(file: Path) -> Measured:
    """Read the ARI of a system's groups with the corpus's own."""
    from sklearn.metrics import adjusted_rand_score  # here: it takes a second

    table = read_parquet(file, _GROUPS, _GROUPS.names)
    for name in _GROUPS.names:
        if table[name].null_count:
            raise PipelineError(
                f"{table[name].null_count} examples have no {name}",
                where=file,
                expected="a group and a known latent group for every example",
                remedy="sweep a generated corpus, and give `groups` only to systems that have groups of their own",
            )
    return Measured(float(adjusted_rand_score(table["label"].to_numpy(), table["group"].to_numpy())))


def _true_rates(counts: Path) -> dict[str, Any]:
    values = read_json(counts)
    train = values["splits"]["train"]
    return {
        "corpus": values["corpus"],
        "responses_per_context": train["distinct_pairs"] / train["contexts"],
        "contexts_per_response": train["distinct_pairs"] / train["responses"],
    }


def _check_complete(known: int, runs: int, where: str) -> None:
    if known < runs:
        raise PipelineError(
            f"defined in {known} of {runs} runs",
            where=where,
            expected="a value from every run, or from none",
            remedy="look at the logs of these runs; a latent variable may have collapsed to exactly nothing",
        )
