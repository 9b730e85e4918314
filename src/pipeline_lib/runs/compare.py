"""The comparison of two runs: settings that differ, and values of the tables that moved by more than chance.

python -m pipeline_lib compare RUN_A RUN_B [--csv FILE]
"""

import argparse
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline_lib.files.changes import ABSENT, ChangedEntry, changes
from pipeline_lib.runs.differences import (
    TESTS,
    MovedCell,
    Run,
    as_rows,
    moved_cells,
    only_in,
    recorded_changes,
)
from pipeline_lib.schemas.responses import NO_GROUPS
from pipeline_lib.stage.cli import report
from pipeline_lib.tables.files import write_csv

FEWEST = 10  # cells that are shown though none of them moved by more than chance
TITLES = {
    "config": "Settings",
    "revision": "Revision",
    "modified": "Files changed since the revision",
    "code": "Code of stages",
    "python": "Python",
    "platform": "Platform",
    "packages": "Packages",
    "data": "Data",
}
NAMES_ALONE = (TITLES["code"], TITLES["data"])  # of these, the checksums say nothing to a reader


def run() -> None:
    """Compare as the command line asks."""
    report(main)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m pipeline_lib compare", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run_a", type=Path, metavar="RUN_A", help="results folder of the run to start from")
    parser.add_argument("run_b", type=Path, metavar="RUN_B", help="results folder of the run to compare with it")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every cell that moved as CSV")
    asked = parser.parse_args(arguments)
    first, second = Run.read(asked.run_a), Run.read(asked.run_b)
    cells = moved_cells(first, second)
    width = max(80, shutil.get_terminal_size((120, 24)).columns)
    for line in [*records(first, second, width), *table(first, second, cells)]:
        print(line)
    if asked.csv is not None:
        write_csv(asked.csv, as_rows(cells))  # in the order of the table


def records(first: Run, second: Run, width: int = 120) -> Iterator[str]:
    """Print what the runs are and where their records differ, a line each."""
    for name, run in (("A", first), ("B", second)):
        known = "" if run.manifest is None else f", made {run.manifest['created']}"
        yield f"{name}  {run.folder}{known}"
        if run.manifest is None:
            yield f"   has no manifest.json: its settings, code and data are not known; make {run.folder}/manifest.json"
    recorded = recorded_changes(first, second)
    if first.manifest and second.manifest and not recorded:
        yield ""
        yield "Settings, code, packages and data are the same."
    parts = {TITLES[part]: found for part, found in recorded.items()}
    if counts := list(changes(first.counts, second.counts)):
        parts["Counts of Table 1"] = counts
    for title, found in parts.items():
        yield ""
        yield f"{title} ({len(found)} differ{'s' if len(found) == 1 else ''})"
        yield from _change_lines(found, width, names_alone=title in NAMES_ALONE)
    yield ""
    alone = [("A", *item) for item in only_in(first, second).items()]
    alone += [("B", *item) for item in only_in(second, first).items()]
    for name, kind, names in alone:
        yield f"Only {name} has {kind}: {', '.join(names)}"
    if alone:
        yield ""


def table(first: Run, second: Run, cells: Sequence[MovedCell]) -> Iterator[str]:
    """Print the cells that moved as an aligned table; those within chance are only counted."""
    common = len(first.values.keys() & second.values.keys())
    clear = [cell for cell in cells if cell.beyond_interval or cell.passes_test]
    shown = clear if clear else list(cells[:FEWEST])
    yield f"Values in both runs: {common}, of them not the same: {len(cells)}, by more than chance: {len(clear)}"
    if not shown:
        return
    yield ""
    header = ["corpus", "split", "system", "metric", "A", "B", "B - A", "95 % interval", "over", "p", ""]
    yield from _aligned([header, *(_line(cell) for cell in shown)])
    yield ""
    if len(shown) < len(cells):
        yield f"{len(cells) - len(shown)} more within chance; --csv FILE has them all."
    yield (
        "*  0 lies outside the interval: Welch's t over seeds, joined with the items, or, where a run has one seed, "
        "paired bootstrap over items. One cell in twenty does so by chance."
    )
    tests = sum(cell.p is not None for cell in cells)
    yield (
        f"†  p below {TESTS.level:g} after Holm's correction over all {tests} tests, by the test of that interval over "
        "seeds and items."
    )
    yield (
        f"◇  The same for a run with one seed: paired test over items, {TESTS.method}, {TESTS.trials:,} trials. It is "
        "about these trained models: another training may move a value as far."
    )
    yield "Sorted by the difference in units of half its interval."


def _line(cell: MovedCell) -> list[str]:
    key = cell.key
    system = f"{key.system} ({key.selection})" if key.selection != NO_GROUPS else key.system
    limits = "-" if cell.low is None or cell.high is None else f"{cell.low:+.3g} to {cell.high:+.3g}"
    p = "-" if cell.p_adjusted is None else f"{cell.p_adjusted:.3f}"
    values = [f"{cell.first:.4g}", f"{cell.second:.4g}", f"{cell.difference:+.3g}"]
    marks = "*" * cell.beyond_interval + cell.mark
    last = " ".join(filter(None, (marks, cell.note)))
    return [key.corpus, key.split, system, key.metric, *values, limits, cell.over or "-", p, last]


def _aligned(lines: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    right = range(4, 8)  # values
    for line in lines:
        cells = [
            text.rjust(w) if i in right else text.ljust(w) for i, (text, w) in enumerate(zip(line, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _change_lines(found: Sequence[ChangedEntry], width: int, names_alone: bool = False) -> Iterator[str]:
    longest = max(len(change.key) for change in found)
    for change in found:
        if names_alone and ABSENT not in (change.first, change.second):
            yield f"  {change.key}"
            continue
        room = max(16, (width - longest - 9) // 2)
        yield f"  {change.key.ljust(longest)}  {_short(change.first, room)} -> {_short(change.second, room)}"


def _short(value: Any, room: int) -> str:
    if value is ABSENT:
        return "(none)"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= room else text[: room - 1] + "…"
