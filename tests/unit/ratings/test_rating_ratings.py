"""Filled rating sheets are read as they were meant, or refused by file, row and column."""

import numpy as np
import pytest

from pipeline_lib.errors import PipelineError
from pipeline_lib.ratings.filled import read_ratings
from unit.ratings.rating_fixtures import SYSTEMS, filled, save, small_draw

PLACE = {"human": 1, "seq2seq": 3, "sepacvae": 2}


def by_system(item, system, aspect):
    return PLACE[system]


@pytest.fixture
def drawn(tmp_path):
    return small_draw(tmp_path)


def read(tmp_path, drawn, rows, **how):
    return read_ratings([save(tmp_path / "sheet.csv", rows, **how)], [drawn])["small"]


def test_every_cell_reaches_its_system_whatever_the_order_on_the_sheet(tmp_path, drawn):
    ratings = read(tmp_path, drawn, filled(drawn, "anna", lambda i, system, aspect: 1 + (PLACE[system] + i) % 3))
    assert ratings.raters == ["anna"]
    assert ratings.systems == sorted(SYSTEMS)
    for aspect in ("relevance", "fluency"):
        expected = [[1 + (PLACE[system] + i) % 3 for system in sorted(SYSTEMS)] for i in range(4)]
        assert ratings.values[aspect].tolist() == [expected]


@pytest.mark.parametrize("how", [{}, {"delimiter": ";"}, {"delimiter": "\t"}, {"encoding": "utf-8-sig"}])
def test_a_sheet_is_read_in_the_forms_that_spreadsheets_save(tmp_path, drawn, how):
    assert read(tmp_path, drawn, filled(drawn, "anna", by_system), **how).values["fluency"][0, 0].tolist() == [1, 2, 3]


def test_the_order_of_rows_and_columns_and_spaces_around_cells_do_not_matter(tmp_path, drawn):
    rows = filled(drawn, " anna ", lambda i, system, aspect: f" {PLACE[system]}.0 ")
    shuffled = [dict(reversed(row.items())) for row in reversed(rows)]
    ratings = read(tmp_path, drawn, shuffled)
    assert (ratings.raters, ratings.values["fluency"][0, 3].tolist()) == (["anna"], [1, 2, 3])


def test_the_files_name_is_the_rater_where_the_column_is_empty(tmp_path, drawn):
    save(tmp_path / "bo.csv", filled(drawn, "", by_system))
    assert read_ratings([tmp_path / "bo.csv"], [drawn])["small"].raters == ["bo"]


def test_items_left_empty_are_not_rated_and_the_others_count(tmp_path, drawn):
    rows = filled(drawn, "anna", lambda i, system, aspect: PLACE[system] if i != 2 else None)
    ratings = read(tmp_path, drawn, rows)
    assert ratings.rated().tolist() == [3]
    assert np.isnan(ratings.values["fluency"][0, 2]).all()


def test_several_files_and_several_raters_in_one_file_come_together(tmp_path, drawn):
    both = filled(drawn, "anna", by_system) + filled(drawn, "bo", by_system)
    files = [save(tmp_path / "a.csv", both), save(tmp_path / "b.csv", filled(drawn, "cy", by_system))]
    ratings = read_ratings(files, [drawn])["small"]
    assert ratings.raters == ["anna", "bo", "cy"]
    assert ratings.rated().tolist() == [4, 4, 4]


def test_one_raters_items_may_come_in_several_files(tmp_path, drawn):
    halves = [filled(drawn, "anna", lambda i, s, a, k=k: PLACE[s] if i % 2 == k else None) for k in (0, 1)]
    files = [save(tmp_path / f"{k}.csv", rows) for k, rows in enumerate(halves)]
    assert read_ratings(files, [drawn])["small"].rated().tolist() == [4]


def test_sheets_of_two_corpora_are_told_apart(tmp_path):
    draws = [small_draw(tmp_path, corpus=corpus) for corpus in ("one", "two")]
    files = [save(tmp_path / f"{d.corpus}.csv", filled(d, "anna", by_system)) for d in draws]
    assert list(read_ratings(files, draws)) == ["one", "two"]


def change(row, column, value):
    return lambda rows: [r | {column: value} if i == row else r for i, r in enumerate(rows)]


FAULTS = {
    "unknown item": (change(4, "item", "zzzzzzzz"), "unknown item 'zzzzzzzz'", "row 6, column item"),
    "unknown response": (change(4, "response_id", "zzz"), "unknown response 'zzz'", "row 6, column response_id"),
    "missing cell": (change(4, "fluency", ""), "no answer", "row 6, column fluency"),
    "word for a number": (change(4, "fluency", "good"), "'good' is no number", "row 6, column fluency"),
    "rank too large": (change(4, "relevance", "4"), "4 is out of range", "row 6, column relevance"),
    "rank of zero": (change(0, "relevance", "0"), "0 is out of range", "row 2, column relevance"),
    "half a rank": (change(0, "relevance", "1.5"), "1.5 is out of range", "row 2, column relevance"),
    "not a number": (change(0, "relevance", "nan"), "nan is out of range", "row 2, column relevance"),
    "sheet of another draw": (change(0, "sheet", "small-zzzzzzzz"), "of sheet 'small-zzzzzzzz'", "row 2, column sheet"),
    "row lost": (lambda rows: rows[1:], "lacks the row of response", "row 2"),
    "row twice": (lambda rows: [rows[0], *rows], "stands twice", "row 3"),
    "rater forgotten": (change(5, "rater", ""), "no rater", "row 7, column rater"),
    "column lost": (
        lambda rows: [{k: v for k, v in r.items() if k != "item"} for r in rows],
        "no column 'item'",
        "row 1",
    ),
    "aspect lost": (
        lambda rows: [{k: v for k, v in r.items() if k != "fluency"} for r in rows],
        "no column 'fluency'",
        "row 1",
    ),
    "empty sheet": (
        lambda rows: [r | {"relevance": "", "fluency": ""} for r in rows],
        "no answer in the whole file",
        "sheet.csv",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_file_row_and_column(tmp_path, drawn, fault):
    spoil, problem, place = FAULTS[fault]
    with pytest.raises(PipelineError) as caught:
        read(tmp_path, drawn, spoil(filled(drawn, "anna", by_system)))
    error = caught.value
    assert problem in error.problem
    assert error.where.startswith(str(tmp_path / "sheet.csv"))
    assert error.where.endswith(place)
    assert error.expected
    assert error.remedy


def test_the_same_rater_and_item_twice_names_both_places(tmp_path, drawn):
    files = [save(tmp_path / name, filled(drawn, "anna", by_system)) for name in ("a.csv", "b.csv")]
    with pytest.raises(PipelineError, match="'anna' has rated item") as caught:
        read_ratings(files, [drawn])
    assert "b.csv, row 2" in caught.value.where
    assert "a.csv, row 2" in caught.value.expected


def test_a_file_that_is_not_utf8_is_named(tmp_path, drawn):
    save(tmp_path / "sheet.csv", filled(drawn, "ännä", by_system), encoding="cp1252")
    with pytest.raises(PipelineError, match="not readable as CSV") as caught:
        read_ratings([tmp_path / "sheet.csv"], [drawn])
    assert "UTF-8" in caught.value.remedy


def test_an_empty_file_is_named(tmp_path, drawn):
    (tmp_path / "sheet.csv").write_text("")
    with pytest.raises(PipelineError, match="no column 'sheet'"):
        read_ratings([tmp_path / "sheet.csv"], [drawn])


def test_a_value_is_checked_against_the_scale_of_its_own_aspect(tmp_path):
    scales = {"fluency": {"kind": "yes_no"}}
    drawn = small_draw(tmp_path, scale={"kind": "score", "values": [1, 2, 3]}, scales=scales)
    rows = filled(drawn, "anna", lambda i, system, aspect: 0 if aspect == "fluency" else 3)
    values = read(tmp_path, drawn, rows).values
    assert (values["relevance"].min(), values["fluency"].max()) == (3, 0)
    for aspect, wrong, expected in (("fluency", "2", "one of 0, 1"), ("relevance", "0", "one of 1, 2, 3")):
        with pytest.raises(PipelineError, match=f"{wrong} is out of range") as caught:
            read(tmp_path, drawn, change(0, aspect, wrong)(rows))
        assert caught.value.where.endswith(f"row 2, column {aspect}")
        assert caught.value.expected == expected


@pytest.mark.parametrize(
    ("scale", "right", "wrong"),
    [({"kind": "score", "values": [1, 2, 3]}, "3", "4"), ({"kind": "yes_no"}, "0", "2")],
)
def test_the_values_of_other_scales_are_checked_too(tmp_path, scale, right, wrong):
    drawn = small_draw(tmp_path, scale=scale)
    rows = filled(drawn, "anna", lambda *_: right)
    assert read(tmp_path, drawn, rows).values["fluency"].max() == float(right)
    with pytest.raises(PipelineError, match=f"{wrong} is out of range"):
        read(tmp_path, drawn, change(0, "fluency", wrong)(rows))
