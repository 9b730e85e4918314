"""Rating sheets and their keys, as raters, spreadsheets and disks leave them."""

import csv
import io
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_promise import Reader, refused_or
from fuzz_strategies import HAZARDS, attempt, perhaps_damaged, phrases
from hypothesis import strategies as st

from pipeline_lib.config.ratings import Scale
from pipeline_lib.ratings.draw import Draw, Item, Response, read_draw
from pipeline_lib.ratings.filled import read_ratings
from pipeline_lib.ratings.sheets import csv_sheet

SYSTEMS = ("a", "b")
ASPECTS = ("fit", "flow")


def _draw() -> Draw:
    items = [
        Item(
            id=f"item{i}",
            example_id=i,
            context=["hello, you", '"quoted"\nand broken', "=1+1"][i],
            responses=[Response(id=f"r{s}", system=s, text=["1", "2, 2", "<b>"][i]) for s in SYSTEMS],
        )
        for i in range(3)
    ]
    aspects = {aspect: "?" for aspect in ASPECTS}
    return Draw(corpus="small", split="test", run=1, scale=Scale(), aspects=aspects, items=items)


DRAW = _draw()
ROWS: list[list[str]] = list(csv.reader(io.StringIO(csv_sheet(DRAW).removeprefix("\ufeff"), newline="")))

# --- sheets --------------------------------------------------------------------------------------------------------


def naive_answers(content: bytes, delimiter: str, rater: str) -> dict[tuple[str, str, str, str], float] | None:
    """(rater, item, system, aspect) -> value of every cell that is filled; None: it is no CSV."""
    text = attempt(lambda: content.decode("utf-8-sig"))
    lines = attempt(lambda: list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)))
    if not lines:
        return None
    names = [name.strip() for name in lines[0]]
    system = {f"r{s}": s for s in SYSTEMS}
    answers = {}
    for cells in lines[1:]:
        assert not any(cells[len(names) :]), "cells without a heading were passed over"
        row = {name: cell.strip() for name, cell in zip(names, cells, strict=False)}
        for aspect in ASPECTS:
            if row.get(aspect):
                named = re.sub(r"^'(?=[=+\-@\t\r])", "", row["rater"])  # as the page exports a name like a formula
                key = named or rater, row["item"], system[row["response_id"]], aspect
                assert key not in answers, "an answer was overwritten"
                answers[key] = float(row[aspect])
    assert len(set(names) & {"sheet", "rater", "item", "response_id", *ASPECTS}) == sum(
        name in {"sheet", "rater", "item", "response_id", *ASPECTS} for name in names
    ), "a column that stands twice was read"
    return answers


def _check_sheet(folder: Path, case: tuple[bytes, str]) -> bool:
    content, delimiter = case
    path = folder / "bo.csv"
    path.write_bytes(content)
    found = refused_or(lambda: read_ratings([path], [DRAW]))
    if found is None:
        return False
    ratings = found["small"]
    given = {
        (rater, f"item{i}", system, aspect): float(ratings.values[aspect][r, i, s])
        for r, rater in enumerate(ratings.raters)
        for i in range(3)
        for s, system in enumerate(SYSTEMS)
        for aspect in ASPECTS
        if not np.isnan(ratings.values[aspect][r, i, s])
    }
    assert given == naive_answers(content, delimiter, "bo")
    return True


@st.composite
def _sheets(draw: st.DrawFn) -> tuple[bytes, str]:
    """A filled sheet with a few cells, columns or rows that are not as they were."""
    rows = [list(row) for row in ROWS]
    for row in rows[1:]:
        row[1] = draw(st.sampled_from(["anna", "anna", "", "bo"])) if draw(st.integers(0, 9)) == 0 else "anna"
        row[-2:] = [draw(st.sampled_from(["1", "2", "1.0", " 2 "])) for _ in ASPECTS]
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(rows) - 1))
        match draw(
            st.sampled_from(["cell", "cell", "answer", "drop", "repeat", "longer", "shorter", "empty", "blank"])
        ):
            case "cell":
                rows[place][draw(st.integers(0, len(rows[place]) - 1))] = draw(
                    st.one_of(phrases, st.sampled_from(HAZARDS))
                )
            case "answer" if place:
                rows[place][-1] = draw(
                    st.sampled_from(["", "3", "0", "1e0", "nan", "1_0", "١", "0x1", "1.5", "-1", "two"])
                )
            case "drop" if place:
                del rows[place]
            case "repeat":
                rows.insert(place, list(rows[place]))
            case "longer":
                rows[place].insert(draw(st.integers(0, len(rows[place]))), draw(st.sampled_from(["", "fit", "1"])))
            case "shorter" if len(rows[place]) > 1:
                del rows[place][draw(st.integers(0, len(rows[place]) - 1))]
            case "empty" if place:
                rows[place][-2:] = ["", ""]
            case _:
                rows.insert(place, [""])
        rows = [row for row in rows if row] or [["x"]]
    delimiter = draw(st.sampled_from([",", ",", ";", "\t"]))
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    content = text.getvalue().encode("utf-8-sig" if draw(st.booleans()) else "utf-8", "surrogatepass")
    return draw(perhaps_damaged(st.just(content))), delimiter


# --- keys ----------------------------------------------------------------------------------------------------------


@cache
def _filled() -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([ROWS[0], *([*row[:1], "anna", *row[2:-2], "1", "2"] for row in ROWS[1:])])
    return text.getvalue().encode()


def _check_key(folder: Path, key: bytes) -> bool:
    path, sheet = folder / "small.json", folder / "anna.csv"
    path.write_bytes(key)
    found = refused_or(lambda: read_draw(path))
    if found is None:
        return False
    assert found.items
    assert found.systems
    sheet.write_bytes(_filled())
    return refused_or(lambda: read_ratings([sheet], [found])) is not None


@st.composite
def _keys(draw: st.DrawFn) -> bytes:
    values: Any = DRAW.model_dump(mode="json")
    if draw(st.booleans()):
        item = draw(st.sampled_from(values["items"]))
        match draw(st.integers(0, 6)):
            case 0:
                values["items"] = []
            case 1:
                item["responses"] = item["responses"][:1]
            case 2:
                item["responses"] *= 2
            case 3:
                item["responses"][0]["system"] = draw(phrases)
            case 4:
                item["id"] = "item1"
            case 5:
                values["aspects"] = draw(st.dictionaries(phrases, phrases, max_size=2))
            case _:
                item[draw(st.sampled_from(list(item)))] = draw(st.one_of(st.none(), st.integers(), phrases))
    content = Draw.model_construct(**values).model_dump_json(warnings=False).encode()
    return draw(perhaps_damaged(st.just(content)))


READERS = [
    Reader("rating sheets", _sheets(), _check_sheet),
    Reader("keys of rating sheets", _keys(), _check_key),
]
