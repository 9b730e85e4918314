"""Tables as the page shows them: figures from the .csv, title and notes from the .md beside it; nothing is computed."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.checksums import verify
from pipeline_lib.files.formats import read_text
from pipeline_lib.tables.text import FEWER_DIGITS

# columns that say what a row is; what identifies a row is shown as its label
KEYS = ("corpus", "system", "label", "selection", "collapsed")
# a column that has one of these beside it is a figure with a spread
PARTS_OF_A_FIGURE = ("sd", "low", "high", "published")
_SIGNATURE = re.compile(r"^(?P<metric>\S+)(?: \((?P<corpora>.+)\))?: `(?P<signature>[^`]+\|[^`]+)`$")


@dataclass(frozen=True)
class Column:
    """One column: a figure with its spread, a plain number or a text."""

    name: str
    kind: Literal["figure", "number", "text"]
    places: int = 0  # decimals


@dataclass(frozen=True)
class ShownTable:
    """What is drawn, and said below it."""

    name: str
    title: str
    columns: list[Column]
    rows: list[dict[str, Any]]  # the keys that the file has, and ``cells``: column -> value, or parts of a figure
    notes: list[str]
    signatures: dict[str, list[str]]  # metric -> signatures, several where corpora differ

    def as_json(self) -> dict[str, Any]:
        """What ``static/tables.js`` reads."""
        columns = [asdict(column) for column in self.columns]
        return {"name": self.name, "columns": columns, "rows": self.rows, "signatures": self.signatures}


def read_table(path: Path, labels: Mapping[str, str], digits: int) -> ShownTable:
    """Read a table of the workflow.

    Args:
        path: the .csv; a .md of the same name lies beside it.
        labels: corpus -> name in the tables, for rows that are corpora.
        digits: decimals of a ratio below 1.
    Raises:
        PipelineError: the file is not a CSV with a header, or the .md is missing.
    """
    header, records = _read_csv(path)
    own = [name for name in header if name not in KEYS and _figure_of(name, header) is None]
    names = [name for name in own if any(record[name] for record in records)]
    columns = [_column(name, header, records, digits) for name in names]
    title, notes = _read_markdown(path.with_suffix(".md"))
    signatures: dict[str, list[str]] = {}
    for note in notes:
        if found := _SIGNATURE.match(note):
            signatures.setdefault(found["metric"], []).append(found["signature"])
    return ShownTable(
        path.stem,
        title,
        columns,
        [_row(record, columns, header, labels) for record in records],
        [note for note in notes if not _SIGNATURE.match(note)],
        signatures,
    )


def _read_csv(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    verify(path)
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            return list(reader.fieldnames or []), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PipelineError(
            f"not readable as CSV: {error}",
            where=path,
            expected="a table of this workflow",
            remedy="delete the file and run the same command again; it will be remade",
        ) from error


def _read_markdown(path: Path) -> tuple[str, list[str]]:
    """Title and notes, without Markdown's escapes."""
    try:
        lines = read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(
            f"not readable: {error}",
            where=path,
            expected="title and notes of the table beside its .csv",
            remedy="delete the table and run the same command again; it will be remade",
        ) from error
    plain = [re.sub(r"\\([^\w\s])", r"\1", line) for line in lines]
    title = next((line.lstrip("# ") for line in plain if line.startswith("#")), path.stem)
    return title, [line[2:] for line in plain if line.startswith("- ")]


def _figure_of(name: str, header: Sequence[str]) -> tuple[str, str] | None:
    """The figure that a column is a part of, and which part: ``BLEU-1 published`` -> ``BLEU-1``, ``published``."""
    if _has_spread(name, header):
        return None
    figures = [column for column in header if name.startswith(column + " ") and _has_spread(column, header)]
    longest = max(figures, key=len, default=None)
    return (longest, name.removeprefix(longest + " ")) if longest else None


def _has_spread(name: str, header: Sequence[str]) -> bool:
    return any(f"{name} {part}" in header for part in PARTS_OF_A_FIGURE)


def _column(name: str, header: Sequence[str], records: Sequence[Mapping[str, str]], digits: int) -> Column:
    values = [record[name] for record in records if record[name]]
    numbers = [number for number in map(_number, values) if number is not None]
    is_figure = _has_spread(name, header)  # some of its cells may hold words, such as `not collected`
    if len(numbers) < len(values) and not is_figure:
        return Column(name, "text")
    return Column(name, "figure" if is_figure else "number", _places(name, numbers, records, digits))


def _places(name: str, numbers: Sequence[float], records: Sequence[Mapping[str, str]], digits: int) -> int:
    """Decimals of a column: none of counts, ``digits`` of a ratio, fewer of what is larger."""
    if all(number.is_integer() for number in numbers) and not any(record.get(f"{name} sd") for record in records):
        return 0
    if name in FEWER_DIGITS:
        return max(1, digits - FEWER_DIGITS[name])
    largest = max(map(abs, numbers), default=0)
    return max(0, digits + 1 - len(str(int(largest))))


def _row(
    record: Mapping[str, str], columns: Sequence[Column], header: Sequence[str], labels: Mapping[str, str]
) -> dict[str, Any]:
    row: dict[str, Any] = {key: record[key] for key in KEYS if key in record}
    row["corpus_label"] = labels.get(row.get("corpus", ""), row.get("corpus", ""))
    row.setdefault("label", row["corpus_label"])
    row["collapsed"] = int(row.get("collapsed") or 0)
    parts: dict[str, dict[str, Any]] = {}
    for name in header:
        if found := _figure_of(name, header):
            parts.setdefault(found[0], {})[found[1]] = _value(record[name])
    row["cells"] = {
        column.name: {"mean": _value(record[column.name]), **parts[column.name]}
        if column.kind == "figure"
        else _value(record[column.name])
        if column.kind == "number"
        else record[column.name]
        for column in columns
    }
    return row


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _value(text: str) -> float | str | None:
    """A number, a word such as ``best``, or None for an empty field or a figure that is not finite."""
    number = _number(text)
    if number is None:
        return text or None
    return number if abs(number) < float("inf") else None
