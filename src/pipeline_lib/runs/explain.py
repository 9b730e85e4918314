"""The chain that a file was made from: ``python -m pipeline_lib explain results/tables/table2.csv``.

The command lists its files stage by stage, with the settings and the code that each stage was run with. For one cell
of a table, the chain is that of the responses behind it.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline_lib.errors import PipelineError, did_you_mean
from pipeline_lib.runs.chain import Chain, results_of
from pipeline_lib.stage.cli import report
from pipeline_lib.tables.files import read_table

_WIDEST = 160  # characters of a setting


def run() -> None:
    """Print the chain behind a file; status 1 if a file of it does not fit the others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="a file below the results of a run, such as a table's .csv")
    parser.add_argument("--cell", nargs=2, metavar=("ROW", "COLUMN"), help="of a table: label of the row and heading")
    arguments = parser.parse_args()
    report(lambda: _explain(arguments.file, arguments.cell))


def _explain(path: Path, cell: list[str] | None) -> None:
    if not path.is_file():
        raise PipelineError("the file does not exist", where=path, expected="a file below the results of a run")
    chain = Chain(results_of(path))
    name = chain.name_of(path)
    if chain.record(name) is None:
        raise PipelineError(
            "nothing is known of how this file was made",
            where=path,
            expected="a file that a stage wrote, with its record beside it",
            remedy="delete it and run the workflow again, if a stage makes it",
        )
    roots = runs_behind(chain, path, *cell) if cell else [name]
    files = chain.upstream(roots)
    print("\n".join(lines_of(chain, files)))
    broken = [f"{file} {problem}" for file in files for problem in chain.problems(file)]
    for line in broken:
        print(line, file=sys.stderr)
    if broken:
        sys.exit(1)


def runs_behind(chain: Chain, path: Path, row: str, column: str) -> list[str]:
    """List the files of one cell of a table: the scores of every run of its system, and what is read beside them.

    Raises:
        PipelineError: the table has no such row or column.
    """
    table = read_table(path.with_suffix(".json"))
    columns = {one.name: one for one in table.shown}
    labels = {one.label for one in table.rows}
    if row not in labels or column not in columns:
        raise PipelineError(
            f"the table has no {'row' if row not in labels else 'column'} {(row if row not in labels else column)!r}",
            where=path,
            expected=did_you_mean(row, sorted(labels)) if row not in labels else did_you_mean(column, [*columns]),
        )
    systems = {(one.corpus, one.system) for one in table.rows if one.label == row}
    behind = []
    for file in chain.made_from(chain.name_of(path)):
        record = chain.record(file)
        of = record.plan.of if record else {}
        if (of.get("corpus"), of.get("system")) in systems and of.get("split") in (columns[column].split, None):
            behind.append(file)
    return behind


def lines_of(chain: Chain, files: list[str]) -> Iterator[str]:
    """Describe files, grouped by stage, code and settings, in the order in which they were made."""
    groups: dict[str, list[str]] = {}
    outside = []
    for file in files:
        if record := chain.record(file):
            key = json.dumps([record.plan.stage, record.plan.code, record.plan.settings, record.versions])
            groups.setdefault(key, []).append(file)
        else:
            outside.append(file)
    if outside:
        yield "from outside, or without a record"
        yield from (f"  {file}" for file in outside)
    for key, members in groups.items():
        stage, code, settings, versions = json.loads(key)
        yield ""
        yield f"{stage}" + (f"  (code {code})" if code else "")
        yield f"  with {', '.join(f'{name} {version}' for name, version in versions.items())}"
        yield from (f"  {line}" for line in _settings(settings))
        yield from (f"  {file}{_facts(chain, file)}" for file in members)


def _facts(chain: Chain, file: str) -> str:
    record, digest = chain.record(file), chain.sha256(file)
    facts = [f"sha256 {digest[:16]}" if digest else "no longer there"]
    if record and record.restored:
        facts.append("from the store")
    return f"  ({', '.join(facts)})"


def _settings(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """List settings by dotted key; what is not set is left out."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _settings(value, f"{name}.")
        elif value not in (None, [], ""):
            text = json.dumps(value, ensure_ascii=False)
            yield f"{name}: {text if len(text) <= _WIDEST else text[:_WIDEST] + ' …'}"
