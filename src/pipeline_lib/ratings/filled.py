"""Filled rating sheets, read back and checked; whatever is wrong is named by file, row and column."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline_lib.config.ratings import SHEET_COLUMNS, Scale
from pipeline_lib.errors import PipelineError, did_you_mean
from pipeline_lib.files.spreadsheets import plain
from pipeline_lib.files.user_tables import separator_of
from pipeline_lib.ratings.draw import Draw, Item

_NEEDED = ("sheet", "rater", "item", "response_id")  # context and response are there for the rater alone
_LARGEST = 64 << 20  # bytes of a file; a sheet of 200 items has under one MiB


@dataclass(frozen=True)
class Ratings:
    """The answers of the raters of one corpus; an item that a rater left empty is NaN throughout."""

    raters: list[str]
    systems: list[str]
    values: dict[str, np.ndarray]  # aspect -> (raters, items, systems) float64, as the raters typed them

    def rated(self) -> np.ndarray:
        """Count the items that each rated: (raters,)."""
        first = next(iter(self.values.values()))
        return np.asarray((~np.isnan(first)).all(axis=2).sum(axis=1))


@dataclass(frozen=True)
class _Row:
    where: str  # file and row
    cells: dict[str, str]


@dataclass(frozen=True)
class _Rated:
    """One rater's answers to one item."""

    where: str
    values: dict[tuple[str, str], float]  # (system, aspect) -> value


def read_ratings(files: Sequence[Path], draws: Sequence[Draw]) -> dict[str, Ratings]:
    """Read sheets that raters filled in, in whatever files they came.

    A rater who left whole items empty has rated fewer; an item begun must be complete.

    Args:
        draws: the keys; a sheet of another draw is an error.
    Returns:
        corpus -> ratings, for the corpora that have any.
    Raises:
        PipelineError: not a rating sheet or not one of these draws; an unknown item or response; a missing,
            non-numeric or out-of-range answer; an item that a rater rated twice; a file without any answer.
    """
    by_sheet = {draw.sheet: draw for draw in draws}
    rated: dict[str, dict[tuple[str, str], _Rated]] = {}  # sheet -> (rater, item) ->
    for file in files:
        for (sheet, rater, item), rows in _items(file, by_sheet).items():
            values = _answers(by_sheet[sheet].by_id[item], by_sheet[sheet], rows)
            of_sheet = rated.setdefault(sheet, {})
            if values and (rater, item) in of_sheet:
                raise PipelineError(
                    f"rater {rater!r} has rated item {item} already",
                    where=rows[0].where,
                    expected=f"each item once from each rater; the other is in {of_sheet[rater, item].where}",
                    remedy="remove one of the two, or correct the name of the rater",
                )
            if values:
                of_sheet[rater, item] = _Rated(rows[0].where, values)
    return {by_sheet[sheet].corpus: _ratings(by_sheet[sheet], given) for sheet, given in rated.items()}


def _ratings(draw: Draw, rated: dict[tuple[str, str], _Rated]) -> Ratings:
    raters = sorted({rater for rater, _ in rated})
    items = {item.id: i for i, item in enumerate(draw.items)}
    shape = len(raters), len(items), len(draw.systems)
    values = {aspect: np.full(shape, np.nan) for aspect in draw.aspects}
    for (rater, item), given in rated.items():
        for (system, aspect), value in given.values.items():
            values[aspect][raters.index(rater), items[item], draw.systems.index(system)] = value
    return Ratings(raters, draw.systems, values)


def _items(file: Path, by_sheet: dict[str, Draw]) -> dict[tuple[str, str, str], list[_Row]]:
    """Read the rows of each (sheet, rater, item)."""
    rows = list(_rows(file))
    for row in rows:
        _check_row(row, file, by_sheet)
    if not any(row.cells[aspect] for row in rows for aspect in by_sheet[row.cells["sheet"]].aspects):
        raise PipelineError(
            "no answer in the whole file",
            where=file,
            expected="a sheet that a rater has filled in",
            remedy="move the empty sheet out of the folder of ratings",
        )
    named = [row.cells["rater"] for row in rows if row.cells["rater"]]
    items: dict[tuple[str, str, str], list[_Row]] = {}
    for row in rows:
        if named and not row.cells["rater"]:
            raise PipelineError(
                "no rater, though other rows name one",
                where=f"{row.where}, column rater",
                expected="a name in every row, or in none: then the file's name counts",
                remedy=f"fill the column, say with {named[0]!r}",
            )
        key = row.cells["sheet"], row.cells["rater"] or file.stem, row.cells["item"]
        items.setdefault(key, []).append(row)
    return items


def _check_row(row: _Row, file: Path, by_sheet: dict[str, Draw]) -> None:
    draw = by_sheet.get(row.cells["sheet"])
    if draw is None:
        raise PipelineError(
            f"of sheet {row.cells['sheet']!r}, which is not the one drawn",
            where=f"{row.where}, column sheet",
            expected=" or ".join(sorted(by_sheet)),
            remedy="for the table of an earlier draw copy its key, ratings/keys/kept/<sheet>.json below the results, "
            "to <corpus>.json in the folder of ratings; otherwise move the file out of there",
        )
    for aspect in draw.aspects:
        if aspect not in row.cells:
            raise _no_column(file, aspect, list(row.cells))
    if row.cells["item"] not in draw.by_id:
        raise PipelineError(
            f"unknown item {row.cells['item']!r}",
            where=f"{row.where}, column item",
            expected=f"an item of sheet {draw.sheet}, such as {draw.items[0].id}",
            remedy="restore the column from the empty sheet",
        )


def _answers(item: Item, draw: Draw, rows: list[_Row]) -> dict[tuple[str, str], float]:
    """Read the value of each (system, aspect) in one rater's item; empty if it was not begun."""
    systems = {response.id: response.system for response in item.responses}
    if not any(row.cells[aspect] for row in rows for aspect in draw.aspects):
        return {}
    given: dict[tuple[str, str], float] = {}
    for row in rows:
        response = row.cells["response_id"]
        if response not in systems:
            raise PipelineError(
                f"unknown response {response!r} to item {item.id}",
                where=f"{row.where}, column response_id",
                expected=", ".join(systems),
                remedy="restore the column from the empty sheet",
            )
        for aspect in draw.aspects:
            value = _value(row, aspect, draw.scale_of(aspect), len(systems))
            if (systems[response], aspect) in given:
                raise PipelineError(
                    f"response {response} to item {item.id} stands twice",
                    where=row.where,
                    expected="each item once from each rater",
                    remedy="remove one of the rows, or name the raters in the column rater",
                )
            given[systems[response], aspect] = value
    if absent := systems.keys() - {row.cells["response_id"] for row in rows}:
        raise PipelineError(
            f"item {item.id} lacks the row of response {min(absent)}",
            where=rows[0].where,
            expected=f"{len(systems)} rows, one for each response",
            remedy="restore the row from the empty sheet and fill it in, or empty the whole item",
        )
    return given


def _value(row: _Row, aspect: str, scale: Scale, responses: int) -> float:
    allowed = {"rank": list(range(1, responses + 1)), "score": scale.values, "yes_no": [0, 1]}[scale.kind]
    text, where = row.cells[aspect], f"{row.where}, column {aspect}"
    expected = f"a whole number from {allowed[0]} to {allowed[-1]}"
    if scale.kind != "rank":
        expected = "one of " + ", ".join(map(str, allowed))
    if not text:
        raise PipelineError(
            "no answer, though the item has others",
            where=where,
            expected=expected,
            remedy="fill the cell, or empty the whole item",
        )
    try:
        value = float(text)
    except ValueError:
        raise PipelineError(
            f"{text!r} is no number", where=where, expected=expected, remedy="correct the cell"
        ) from None
    if value not in allowed:
        raise PipelineError(f"{text} is out of range", where=where, expected=expected, remedy="correct the cell")
    return value


def _rows(file: Path) -> Iterator[_Row]:
    """Read rows with the numbers of a spreadsheet, whose header is row 1; rows without any content are skipped."""
    text = _text(file)
    header = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator_of(header), strict=True)
    rows = _records(reader, file)
    names = [name.strip() for name in next(rows, [])]
    for column in _NEEDED:
        if column not in names:
            raise _no_column(file, column, names)
    if repeated := [name for name, times in Counter(names).items() if name and times > 1]:
        raise PipelineError(
            f"column {repeated[0]!r} stands twice",
            where=f"{file}, row 1",
            expected=f"{', '.join(SHEET_COLUMNS)} and one for each aspect",
            remedy="remove the one that was added",
        )
    for number, cells in enumerate(rows, start=2):
        padded = [*cells, *[""] * (len(names) - len(cells))]
        if any(cell.strip() for cell in padded[len(names) :]):
            raise PipelineError(
                f"{len(cells)} cells, but {len(names)} columns have a name",
                where=f"{file}, row {number}",
                expected="as many cells as there are columns",
                remedy="put quotes around texts with commas, or save the sheet from the spreadsheet again",
            )
        if any(padded):
            named = {name: cell.strip() for name, cell in zip(names, padded, strict=False)}
            yield _Row(f"{file}, row {number}", named | {"rater": plain(named["rater"])})


def _records(reader: Any, file: Path) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise _not_csv(file, error) from error


def _text(file: Path) -> str:
    try:
        with open(file, "rb") as opened:
            content = opened.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ValueError(f"larger than {_LARGEST >> 20} MiB")
        return content.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise _not_csv(file, error) from error


def _not_csv(file: Path, error: Exception) -> PipelineError:
    return PipelineError(
        f"not readable as CSV: {error}",
        where=file,
        expected="a rating sheet as CSV in UTF-8",
        remedy="save it from the spreadsheet as `CSV UTF-8`",
    )


def _no_column(file: Path, column: str, found: list[str]) -> PipelineError:
    return PipelineError(
        f"no column {column!r}",
        where=f"{file}, row 1",
        expected=f"{', '.join(SHEET_COLUMNS)} and one for each aspect",
        remedy=f"restore the header from the empty sheet; {did_you_mean(column, found)}"
        if found
        else "export it again",
    )
