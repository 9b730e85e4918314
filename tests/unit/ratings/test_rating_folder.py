"""The folder of filled sheets: what lies there is read, or is named."""

import pytest

from pipeline_lib.ratings.returned import sheets_in
from unit.refusals import refusal


def test_csv_files_are_sheets_and_what_belongs_beside_them_is_not(tmp_path):
    for name in ("b.csv", "A.CSV", "embedded.json", "sheet.html", "notes.md", ".hidden.xlsx", "~lock.ods"):
        (tmp_path / name).touch()
    assert [path.name for path in sheets_in(tmp_path)] == ["A.CSV", "b.csv"]
    assert sheets_in(tmp_path / "none") == []


@pytest.mark.parametrize("name", ["anna.xlsx", "anna.ods", "anna", "anna.csv.txt"])
def test_a_sheet_that_would_not_be_read_is_named(tmp_path, name):
    (tmp_path / name).touch()
    error = refusal(lambda: sheets_in(tmp_path))
    assert error.where == str(tmp_path / name)
    assert "save it as CSV" in error.remedy


def test_a_folder_of_sheets_among_the_sheets_is_named(tmp_path):
    (tmp_path / "late").mkdir()
    (tmp_path / "late/anna.csv").touch()
    error = refusal(lambda: sheets_in(tmp_path))
    assert error.problem == "a folder among the filled sheets"
    assert error.where == str(tmp_path / "late")
