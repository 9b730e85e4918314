"""Tables of costs: time and memory of every stage and system as Snakemake measured them, and training step by step.

Snakemake samples a job's memory and CPU time twice a second, after half a minute once in half a minute; a job that ends
before the first sample has neither.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline_lib.config.layout import Layout, Stages
from pipeline_lib.config.papers import CostTable
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_json
from pipeline_lib.files.provenance import record_of
from pipeline_lib.tables.cells import Block, Section, Table, of_spec, spread_of
from pipeline_lib.training.history import read_history

TRAINING = "training"
SPLITS = ("validation", "test")
MIB = 2**20
MEASURED = {"seconds": "seconds", "CPU seconds": "cpu_seconds", "memory MiB": "memory"}  # column -> field of Job
TRAINED = {  # column -> field of TrainingRun
    "parameters": "parameters",
    "steps": "steps",
    "step seconds": "step_seconds",
    "tokens/s": "tokens_per_s",
    "operations/token": "operations_per_token",
    "share of matrix peak": "share_of_peak",
    "GPU memory MiB": "gpu_memory",
}
RELATIVE = {"relative step": "step_seconds", "relative memory": "memory"}


@dataclass(frozen=True)
class Job:
    """Time and memory of one job; None where it was not measured."""

    seconds: float | None = None
    cpu_seconds: float | None = None
    memory: float | None = None  # MiB, the largest resident set that was sampled


@dataclass(frozen=True)
class TrainingRun:
    """The record that one training job keeps of itself."""

    parameters: int
    steps: int
    step_seconds: float  # wall time, validations and checkpoints left out
    tokens_per_s: float  # median over the logged steps
    operations_per_token: float  # of matrix products, forward and backward
    share_of_peak: float  # of the rate of one large matrix product, timed in the same job
    gpu_memory: float | None  # MiB


@dataclass(frozen=True)
class CostRow:
    """One stage on one corpus, for one system where it is a system's: a job for each seed."""

    corpus: str
    stage: str
    jobs: list[Job]
    system: str = ""
    label: str = ""
    training: tuple[TrainingRun, ...] = ()

    def mean(self, name: str) -> float | None:
        """Average over seeds an attribute of `Job` or `TrainingRun`, over the runs that have it."""
        return _mean(self._values(name))

    def sd(self, name: str) -> float | None:
        """Give the standard deviation over seeds, n - 1 in the divisor; None for a single one."""
        values = self._values(name)
        return float(np.std(values, ddof=1)) if len(values) > 1 else None

    def _values(self, name: str) -> list[float]:
        of = self.training if name in TrainingRun.__dataclass_fields__ else self.jobs
        return [value for value in (getattr(one, name) for one in of) if value is not None]


def make(name: str, spec: CostTable, layout: Layout, stages: Stages) -> Table:
    """Make the table of costs.

    Raises:
        PipelineError: a measurement is not readable. A benchmark file that is absent is none.
    """
    rows = read_costs(layout, stages)
    sections = [Section(label, list(_blocks(rows, corpus))) for corpus, label in layout.corpora.items()]
    return Table(**of_spec(name, spec), sections=sections, records=_records(rows), notes=[*_notes(layout), *spec.notes])


def read_costs(layout: Layout, stages: Stages) -> list[CostRow]:
    """Read every stage of a run, in the order of the work."""
    rows = []
    for corpus in layout.corpora:
        rows += [CostRow(corpus, name, [read_benchmark(Path(path))]) for name, path in stages.shared[corpus].items()]
        for stage, pattern in stages.of_systems.items():
            for name, system in layout.systems.items():
                if stage == TRAINING and name not in stages.trained[corpus]:
                    continue
                places = [{"corpus": corpus, "system": name, "seed": seed} for seed in layout.seeds]
                runs = [
                    _training_run(Path(stages.summary.format(**place)), Path(stages.history.format(**place)))
                    for place in places
                    if stage == TRAINING
                ]
                kept = [stage == TRAINING and _restored(Path(stages.summary.format(**place))) for place in places]
                jobs = [
                    Job() if restored else read_benchmark(Path(pattern.format(**place)))
                    for restored, place in zip(kept, places, strict=True)
                ]
                rows.append(CostRow(corpus, stage, jobs, name, system.label, tuple(runs)))
    return rows


def _restored(summary: Path) -> bool:
    """Tell whether a model came out of the store: what Snakemake measured is then the copying, not the training."""
    record = record_of(summary)
    return record is not None and record.restored


def read_benchmark(path: Path) -> Job:
    """Read a benchmark file of Snakemake; without one, nothing is known: the outputs were kept from an earlier run.

    Raises:
        PipelineError: the file is not a table with the columns s, max_rss and cpu_time.
    """
    if not path.exists():
        return Job()
    try:
        row = next(csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t"))
        return Job(*(_measured(row[column]) for column in ("s", "cpu_time", "max_rss")))
    except (StopIteration, KeyError, ValueError, AttributeError) as error:
        raise PipelineError(
            f"not readable as a benchmark: {error!r}",
            where=path,
            expected="a header and a line of tab-separated values, among them s, max_rss and cpu_time",
            remedy="delete the file; its values are then shown as unknown until the stage runs again",
        ) from error


# --- cells ---------------------------------------------------------------------------------------------------------


def _records(rows: Sequence[CostRow]) -> list[dict[str, Any]]:
    """Give one line for each stage and system: what the .csv holds."""
    records = []
    for row in rows:
        base = _base(rows, row.corpus)
        record: dict[str, Any] = {
            "corpus": row.corpus,
            "stage": row.stage,
            "system": row.system or None,
            "label": row.label or "all systems",
            "runs": len(row.jobs),
        }
        for column, name in (MEASURED | TRAINED).items():
            record |= {column: row.mean(name), f"{column} sd": row.sd(name)}
        record |= {column: _relative(row, base, name) for column, name in RELATIVE.items()}
        records.append(record)
    return records


def _blocks(rows: Sequence[CostRow], corpus: str) -> Iterator[Block]:
    """Make three tables for each corpus: training, responses and scores, stages that the systems share."""
    own = [row for row in rows if row.corpus == corpus]
    if trained := [row for row in own if row.stage == TRAINING]:
        yield Block("Training", _training_table(trained))
    systems = {row.system: row.label for row in own if row.system}
    later = {(row.stage, row.system): row for row in own if row.system and row.stage != TRAINING}
    if systems:
        yield Block("Responses and scores", _later_table(systems, later))
    shared = [row for row in own if not row.system]
    places = {"seconds": 1, "cpu_seconds": 1, "memory": 0}
    lines = [[row.stage, *(_value(row, name, digits) for name, digits in places.items())] for row in shared]
    yield Block("Stages that the systems share", [["Stage", "time, s", "CPU, s", "memory, MiB"], *lines])


def _training_table(rows: Sequence[CostRow]) -> list[list[str]]:
    base = rows[0]
    on_gpu = any(row.mean("gpu_memory") is not None for row in rows)
    header = ["System", "parameters", "steps", "step, ms", f"× {base.label}", "tokens/s", "Mop/token", "% of peak"]
    header += ["job, s", "CPU, s", "memory, MiB", f"× {base.label}"] + (["GPU, MiB"] if on_gpu else [])
    lines = [header]
    for row in rows:
        lines.append(
            [
                row.label,
                _value(row, "parameters", 0),
                _value(row, "steps", 0),
                _value(row, "step_seconds", 1, 1_000),
                _ratio(row, base, "step_seconds"),
                _value(row, "tokens_per_s", 0),
                _value(row, "operations_per_token", 2, 1e-6),
                _value(row, "share_of_peak", 1, 100),
                _value(row, "seconds", 1),
                _value(row, "cpu_seconds", 1),
                _value(row, "memory", 0),
                _ratio(row, base, "memory"),
                *([_value(row, "gpu_memory", 0)] if on_gpu else []),
            ]
        )
    return lines


def _later_table(systems: Mapping[str, str], rows: Mapping[tuple[str, str], CostRow]) -> list[list[str]]:
    stages = list(dict.fromkeys(stage for stage, _ in rows))
    lines = [["System", *(f"{stage}, s" for stage in stages), "largest memory, MiB"]]
    for system, label in systems.items():
        of_system = [rows[stage, system] for stage in stages]
        largest = max(of_system, key=lambda row: row.mean("memory") or 0)
        lines.append([label, *(_value(row, "seconds", 1) for row in of_system), _value(largest, "memory", 0)])
    return lines


def _value(row: CostRow, name: str, places: int, scale: float = 1) -> str:
    mean, sd = row.mean(name), row.sd(name)
    if mean is None:
        return "–"
    same = sd is None or (name in ("parameters", "steps") and sd == 0)
    return f"{mean * scale:,.{places}f}" + ("" if same or sd is None else f"±{sd * scale:,.{places}f}")


def _ratio(row: CostRow, base: CostRow, name: str) -> str:
    value = _relative(row, base, name)
    return "–" if value is None else f"{value:.2f}"


def _relative(row: CostRow, base: CostRow | None, name: str) -> float | None:
    """Divide the cost of a system's training by that of the first trained system."""
    if base is None or row.stage != TRAINING:
        return None
    value, unit = row.mean(name), base.mean(name)
    return value / unit if value is not None and unit else None


def _base(rows: Sequence[CostRow], corpus: str) -> CostRow | None:
    return next((row for row in rows if (row.corpus, row.stage) == (corpus, TRAINING)), None)


def _notes(layout: Layout) -> list[str]:
    return [
        f"Jobs of a system: {spread_of(layout)}. Time is wall time on a machine that may have had other work; of a job "
        "that was stopped and resumed, the time since it resumed and all of its steps.",
        "step: wall time of one optimiser step without validation; tokens/s: of responses, median of the logged steps.",
        "Mop/token: million operations in the matrix products of a training step, forward and backward, per token of a "
        "response; a multiplication with an addition counts as two. % of peak: their rate, relative to that of one "
        "large matrix product timed in the same job. The rest is other arithmetic, small products and overhead.",
        "CPU and memory (largest resident set) as sampled by Snakemake: every half second, after half a minute every "
        "half minute.",
        "–: not measured. The stage has no benchmark, its outputs are of an earlier run, or it ended before the first "
        "sample.",
    ]


# --- reading -------------------------------------------------------------------------------------------------------


def _training_run(summary: Path, history: Path) -> TrainingRun:
    values = read_json(summary)
    logged = [record["tokens_per_s"] for record in read_history(history) if record["kind"] == "train"]
    speed = float(np.median(logged))
    gpu = values["gpu_peak_bytes"]
    return TrainingRun(
        parameters=values["parameters"],
        steps=values["steps"],
        step_seconds=values["seconds"] / max(values["steps"], 1),
        tokens_per_s=speed,
        operations_per_token=values["operations_per_token"],
        share_of_peak=speed * values["operations_per_token"] / values["matrix_peak"],
        gpu_memory=None if gpu is None else gpu / MIB,
    )


def _measured(text: str) -> float | None:
    return None if text.strip() in ("NA", "-", "") else float(text)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
