"""Differences between two runs: settings, code, data, and which values moved, with intervals and paired tests.

A run is a results folder. Its settings are in ``manifest.json``, its values in ``scores/<split>/scores.parquet``,
and its answers to each example, which the paired tests compare, in ``items/``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipeline_lib.config.significance import Between, Significance
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.changes import ChangedEntry, changes
from pipeline_lib.files.formats import read_json, read_parquet
from pipeline_lib.metrics.intervals import LEVEL
from pipeline_lib.metrics.named import known_metric
from pipeline_lib.schemas.responses import ORACLE
from pipeline_lib.schemas.scores import SCORES
from pipeline_lib.significance.comparisons import Comparison, compare_with
from pipeline_lib.significance.families import holm
from pipeline_lib.significance.margins import Source, margin, of_difference, of_runs
from pipeline_lib.significance.outputs import Outputs, read_outputs
from pipeline_lib.significance.paired import difference_intervals
from pipeline_lib.stage.progress import ProgressBar
from pipeline_lib.tables.cells import MARKS

TESTS = Significance(trials=10_000)  # enough for p to stay below the level after correcting hundreds of tests
INTERVALS = Significance(trials=1_000)
RECORDED = ("config", "revision", "modified", "code", "python", "platform", "packages", "data")  # of a manifest


class Key(NamedTuple):
    """Place of a value."""

    corpus: str
    split: str
    system: str
    selection: str
    metric: str


@dataclass(frozen=True)
class Run:
    """One results folder."""

    folder: Path
    manifest: dict[str, Any] | None  # None where the run has none
    values: dict[Key, dict[int, float]]  # seed -> value; undefined values are left out
    signatures: dict[Key, str]
    counts: dict[str, Any]  # of table 1, by corpus

    @classmethod
    def read(cls, folder: Path) -> "Run":
        """Read what the tables were made of.

        Raises:
            PipelineError: the folder is not a run, or a file of it is damaged.
        """
        files = sorted(folder.glob("scores/*/scores.parquet"))
        if not files:
            raise PipelineError(
                "no run: " + ("there are no scores in this folder" if folder.is_dir() else "there is no such folder"),
                where=folder,
                expected=f"a results folder, with {folder / 'scores/test/scores.parquet'} or the same of another split",
                remedy="name the folder that `results:` of a run gives, and gather its scores first, with the options "
                f"of the run: `snakemake --cores 2 -- {folder / 'scores/validation/scores.parquet'}` (or test)",
            )
        values: dict[Key, dict[int, float]] = {}
        signatures: dict[Key, str] = {}
        for row in pa.concat_tables([read_parquet(file, SCORES) for file in files]).to_pylist():
            if row["value"] is not None and "|" not in row["metric"]:  # such names are variants that no table shows
                key = Key(*(row[name] for name in Key._fields))
                values.setdefault(key, {})[row["seed"]] = row["value"]
                signatures[key] = row["signature"]
        manifest = folder / "manifest.json"
        counts = {file.parent.name: read_json(file) for file in sorted(folder.glob("filtered/*/counts.json"))}
        return cls(folder, read_json(manifest) if manifest.is_file() else None, values, signatures, counts)


def recorded_changes(first: Run, second: Run) -> dict[str, list[ChangedEntry]]:
    """List what differs between two manifests, part by part (`RECORDED`), but for where the results lie."""
    if first.manifest is None or second.manifest is None:
        return {}
    pairs = {part: (first.manifest.get(part), second.manifest.get(part)) for part in RECORDED}
    found = {part: list(changes(*both, key="" if isinstance(both[0], dict) else part)) for part, both in pairs.items()}
    found["config"] = [change for change in found["config"] if change.key != "results"]
    return {part: list_ for part, list_ in found.items() if list_}


# --- values --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MovedCell:
    """One value of both runs, each averaged over its seeds."""

    key: Key
    first: float
    second: float
    seeds: tuple[int, int]  # how many
    low: float | None = None  # 95 % interval of the difference
    high: float | None = None
    over: str = ""  # what the interval is over: seeds and items, seeds (Welch's t) or items (bootstrap)
    p: float | None = None
    between: Between = "models"  # what p is about: training runs and items counted, or these trained models alone
    p_adjusted: float | None = None  # Holm, over all cells that are tested
    note: str = ""  # why there is no interval or no test

    @property
    def difference(self) -> float:
        return self.second - self.first

    @property
    def size(self) -> float:
        """The difference in units of half its interval; 0 where there is none."""
        if self.low is None or self.high is None:
            return 0.0
        half = (self.high - self.low) / 2
        return abs(self.difference) / half if half else float(np.inf)

    @property
    def beyond_interval(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    @property
    def passes_test(self) -> bool:
        return self.p_adjusted is not None and self.p_adjusted < TESTS.level

    @property
    def mark(self) -> str:
        """Give the mark of the tables, where the test passes."""
        return MARKS[self.between] if self.passes_test else ""


def moved_cells(first: Run, second: Run) -> list[MovedCell]:
    """List values that both runs have and that are not the same, those that moved most for their interval first."""
    common = [key for key in first.values if key in second.values]
    cells = [_cell(first, second, key) for key in common if first.values[key] != second.values[key]]
    groups: dict[tuple[str, ...], list[MovedCell]] = {}
    for cell in cells:
        groups.setdefault(cell.key[:4], []).append(cell)
    if not groups:
        return []
    tested: list[MovedCell] = []
    with ProgressBar("paired tests", len(groups), "systems") as bar:
        for group in groups.values():
            tested += _with_tests(first, second, group)
            bar.advance()
    return sorted(_adjusted(tested), key=lambda cell: (-cell.size, 1.0 if cell.p is None else cell.p, cell.key))


def _cell(first: Run, second: Run, key: Key) -> MovedCell:
    values = _of_runs(first, second, key)
    cell = MovedCell(key, float(values[0].mean()), float(values[1].mean()), (len(values[0]), len(values[1])))
    if first.signatures[key] != second.signatures[key]:
        return replace(cell, note="measured under other settings of the metric")
    if not _vary(*values):
        return cell
    half = float(margin([of_difference(of_runs(values[0]), of_runs(values[1]))], 1 - LEVEL))
    return replace(cell, low=cell.difference - half, high=cell.difference + half, over="seeds")


def _of_runs(first: Run, second: Run, key: Key) -> tuple[np.ndarray, np.ndarray]:
    return np.array(list(first.values[key].values())), np.array(list(second.values[key].values()))


def _vary(first: np.ndarray, second: np.ndarray) -> bool:
    """Tell whether the seeds of both runs show a spread between trainings."""
    return min(len(first), len(second)) > 1 and bool(np.ptp(first) or np.ptp(second))


def _with_tests(first: Run, second: Run, cells: Sequence[MovedCell]) -> list[MovedCell]:
    """Add to the cells of one system what pairing the runs' answers to the same items tells."""
    of_seeds = [cell for cell in cells if _vary(*_of_runs(first, second, cell.key))]
    of_items = [cell for cell in cells if cell not in of_seeds]
    return [*_tested(first, second, of_seeds, all_seeds=True), *_tested(first, second, of_items, all_seeds=False)]


def _tested(first: Run, second: Run, cells: Sequence[MovedCell], all_seeds: bool) -> list[MovedCell]:
    fit = [cell.key.metric for cell in cells if not cell.note and known_metric(cell.key.metric)]
    both = _paired(first, second, cells[0].key, fit, all_seeds) if fit else "not tested"
    if isinstance(both, str):
        return [replace(cell, note=cell.note or both) for cell in cells]
    found = {found.metric: found.comparison for found in compare_with(both[0], [both[1]], TESTS, fit)}
    limits = {} if all_seeds else difference_intervals(*both, INTERVALS, fit)
    n = len(both[0].examples)
    return [_with_test(cell, found.get(cell.key.metric), limits.get(cell.key.metric), n) for cell in cells]


def _with_test(cell: MovedCell, found: Comparison | None, limits: tuple[float, float] | None, n: int) -> MovedCell:
    if found is None:
        return replace(cell, note=cell.note or "no test of this metric, or items of an earlier version")
    if found.se_runs is not None and found.freedom is not None:
        sources = [Source(found.se_runs**2, found.freedom), Source(found.se_items**2, n - 1)]
        half = float(margin(sources, 1 - LEVEL))
        cell = replace(cell, low=cell.difference - half, high=cell.difference + half, over="seeds and items")
    elif limits is not None:
        cell = replace(cell, low=limits[0], high=limits[1], over="items")
    return replace(cell, p=found.p, between=found.between)


def _paired(
    first: Run, second: Run, key: Key, metrics: Sequence[str], all_seeds: bool
) -> tuple[Outputs, Outputs] | str:
    """Read what both runs answered to the same examples, or say why nothing can be paired.

    Args:
        all_seeds: read every seed of either run, as where runs are independent; false: those in common.
    """
    common = first.values[key].keys() & second.values[key].keys()
    if not (common or all_seeds):
        return "unpaired: no seed in common"
    outputs = []
    questions: list[pa.Table] = []
    for run in (first, second):
        seeds = sorted(run.values[key] if all_seeds else common)
        folder = run.folder / "items" / key.corpus / key.system
        files = [folder / f"seed{seed}" / f"{key.split}.parquet" for seed in seeds]
        if not all(file.is_file() for file in files):
            return f"unpaired: {run.folder} lacks items"
        questions.append(_questions(files[0]))
        outputs.append(read_outputs(files, [key.system], metrics, key.selection == ORACLE)[0])
    if not questions[0].equals(questions[1]):
        return "unpaired: the runs have other examples"
    return outputs[0], outputs[1]


def _questions(file: Path) -> pa.Table:
    """Read what was to be answered: each example with its context and reference."""
    columns = ["example_id", "context", "reference"]
    distinct = read_parquet(file, columns=columns).group_by(columns).aggregate([])
    return distinct.sort_by("example_id").combine_chunks()


def _adjusted(cells: Sequence[MovedCell]) -> list[MovedCell]:
    tested = [cell.p for cell in cells if cell.p is not None]
    adjusted = iter(holm(np.array(tested)).tolist())
    return [cell if cell.p is None else replace(cell, p_adjusted=next(adjusted)) for cell in cells]


def only_in(run: Run, other: Run) -> dict[str, list[str]]:
    """List what only ``run`` has: whole corpora, else splits, systems, selections or metrics, by what they are."""
    own, theirs = set(run.values), set(other.values)
    found: dict[str, list[str]] = {}
    for field in Key._fields:
        taken = _field(field)
        known = {taken(key) for key in theirs}
        if extra := {taken(key) for key in own} - known:
            found[field] = sorted(extra)
            own = {key for key in own if taken(key) in known}
    return found


def _field(name: str) -> Callable[[Key], str]:
    return lambda key: str(getattr(key, name))


def as_rows(cells: Sequence[MovedCell]) -> list[dict[str, Any]]:
    """Flatten cells into one record each, for CSV."""
    return [
        {
            **cell.key._asdict(),
            "a": cell.first,
            "b": cell.second,
            "difference": cell.difference,
            "low": cell.low,
            "high": cell.high,
            "interval over": cell.over,
            "seeds a": cell.seeds[0],
            "seeds b": cell.seeds[1],
            "p": cell.p,
            "p adjusted": cell.p_adjusted,
            "between": cell.between if cell.p is not None else None,
            "note": cell.note,
        }
        for cell in cells
    ]
