"""The values that a paper prints, looked up by their place."""

import csv
import io
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline_lib.config.layout import Layout
from pipeline_lib.errors import PipelineError, did_you_mean

_BOUNDS = "<>≤≥"
_VALUE = re.compile(rf"[{_BOUNDS}]?-?(\d+\.?\d*|\.\d+)", re.ASCII)
COLUMNS = ("table", "dataset", "split", "system", "column", "value", "sd")


@dataclass(frozen=True)
class PublishedValue:
    """One cell of a published table."""

    value: float | None  # None: the paper prints a bound such as >600, from which nothing can be subtracted
    text: str  # with its spread, in the paper's own digits


class Published:
    """The values of one paper."""

    def __init__(self, values: dict[tuple[str, ...], PublishedValue]) -> None:
        self._by_place: dict[tuple[str, str, str], dict[tuple[str, str], PublishedValue]] = defaultdict(dict)
        for (table, dataset, split, system, column), value in values.items():
            self._by_place[table, system, column][dataset, split] = value

    @classmethod
    def read(cls, path: Path) -> "Published":
        """Read a paper's ``published.csv``.

        Raises:
            PipelineError: a column is missing, a value is not a number or a bound, or one place has two values.
        """
        values: dict[tuple[str, ...], PublishedValue] = {}
        for line, row in enumerate(_rows(path), start=2):
            place = tuple(row[name] for name in COLUMNS[:5])
            if row["sd"]:
                _number(row["sd"], path, line)
            value = PublishedValue(_number(row["value"], path, line), "±".join(filter(None, (row["value"], row["sd"]))))
            if values.setdefault(place, value) != value:
                raise PipelineError(
                    f"two values of one place: {values[place].text} and {value.text}",
                    where=f"{path}, line {line}: {', '.join(filter(None, place))}",
                    expected="one value, as the paper prints it",
                    remedy="delete the wrong line",
                )
        return cls(values)

    def value(
        self, table: str | None, column: str, system: str = "", dataset: str | None = None, split: str | None = None
    ) -> PublishedValue | None:
        """Return the value at one place, or None where the paper prints none.

        Args:
            table: its number; None: a table that the paper lacks.
            system: as the paper writes it, like ``dataset``; empty where the table has no such heading.
            dataset: None: whichever, if there is one alone; so too ``split``.
        """
        at_place = self._by_place.get((table or "", system, column), {})
        found = [value for (own, part), value in at_place.items() if dataset in (None, own) and split in (None, part)]
        return found[0] if len(found) == 1 else None

    def beside(
        self, layout: Layout, corpus: str, table: str | None, column: str, system: str, split: str | None = None
    ) -> PublishedValue | None:
        """Return what stands beside a value on a corpus of the run: its published value, or its stand-in's.

        Nothing can be subtracted from the latter, since it is of another corpus.
        """
        if dataset := layout.stands_for.get(corpus):
            return not_compared(self.value(table, column, system, dataset, split))
        return self.value(table, column, system, layout.corpora[corpus], split)

    def columns(self, table: str) -> list[str]:
        """List the columns of a published table, in its order."""
        return list(dict.fromkeys(column for number, _, column in self._by_place if number == table))

    def systems(self, table: str | None, dataset: str | None = None) -> list[str]:
        """List the rows of a published table, on one data set or on any, in its order."""
        places = [
            system
            for (number, system, _), found in self._by_place.items()
            if number == table and any(dataset in (None, own) for own, _ in found)
        ]
        return list(dict.fromkeys(places))


def not_compared(printed: PublishedValue | None) -> PublishedValue | None:
    """Return a published value from which nothing is subtracted."""
    return None if printed is None else replace(printed, value=None)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), strict=True)
        rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PipelineError(
            f"not readable as CSV: {error}",
            where=path,
            expected=f"columns {', '.join(COLUMNS)}",
            remedy="correct the file; papers/sepacvae/published.csv shows the form",
        ) from error
    if missing := [name for name in COLUMNS if name not in (reader.fieldnames or [])]:
        raise PipelineError(
            f"no column {missing[0]!r}",
            where=path,
            expected=did_you_mean(missing[0], list(reader.fieldnames or [])),
            remedy=f"give the file the columns {', '.join(COLUMNS)}",
        )
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise PipelineError(
                "a row of another number of cells than the header",
                where=f"{path}, line {line}",
                expected=f"{len(reader.fieldnames or [])} cells",
                remedy="quote a cell that has a comma in it, or write numbers without one: 1042.9",
            )
        if any("\n" in cell for cell in row.values()):
            raise PipelineError(
                "a cell of several lines",
                where=f"{path}, line {line}",
                expected="a cell in one line",
                remedy="close the quotation mark",
            )
    return rows


def _number(text: str, path: Path, line: int) -> float | None:
    if _VALUE.fullmatch(text):
        return float(text) if text[0] not in _BOUNDS else None
    raise PipelineError(
        f"{text!r} is not a number",
        where=f"{path}, line {line}",
        expected="a number, or a bound such as >600",
        remedy="copy the value as the paper prints it",
    )
