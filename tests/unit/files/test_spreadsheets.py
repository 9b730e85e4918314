"""What a spreadsheet would compute is made a text, and only that."""

import pytest

from pipeline_lib.files.spreadsheets import inert, plain


@pytest.mark.parametrize(
    "text", ["=1+1", "+ yes", "- no ?", "@SUM(A1)", "\t=1", "\r", '=HYPERLINK("https://example.org")', "-", "-1"]
)
def test_a_text_that_begins_like_a_formula_has_an_apostrophe_before_it_which_can_be_taken_away(text):
    assert inert(text) == "'" + text
    assert plain(inert(text)) == text


@pytest.mark.parametrize("text", ["", "yes", "'tis", "1", "–", "a = b"])
def test_other_texts_stay_as_they_are(text):
    assert inert(text) == plain(text) == text
