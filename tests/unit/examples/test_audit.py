"""A filled sheet of negatives: what it refuses, and that negatives are found anew."""

import csv
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.config.contrasts import Contrasts
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.audit import VERDICT, refused
from pipeline_lib.examples.negatives import Examples, choose_negatives

TEXTS = ["where is the soup", "where is the pie", "where is the stew", "who was here"]


def sheet(
    folder: Path, *rows: tuple[str, str, str], header: tuple[str, ...] = ("context", "negative", VERDICT)
) -> Path:
    path = folder / "negatives.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("corpus", *header), *(("made", *row) for row in rows)])
    return path


def examples() -> Examples:
    keywords = [text.split()[-1] for text in TEXTS]
    return Examples(np.arange(4), ["a", "b", "c", "d"], TEXTS, TEXTS, keywords, keywords)


def test_only_what_is_answered_with_yes_is_refused(tmp_path):
    path = sheet(tmp_path, ("a / b", "c", "Yes "), ("a", "d", "no"), ("a", "e", ""), ("'=a", "'-f", "yes"))
    assert refused(path) == {("a / b", "c"), ("=a", "-f")}  # the apostrophe keeps spreadsheets from computing


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_sheet_may_have_the_separators_that_spreadsheets_write(tmp_path, separator):
    path = sheet(tmp_path, ("a", "b", "yes"), ("a", "c", "no"))
    path.write_text(path.read_text().replace(",", separator))
    assert refused(path) == {("a", "b")}


@pytest.mark.parametrize(
    ("rows", "header", "problem", "where"),
    [
        ([("a", "b", "maybe")], ("context", "negative", VERDICT), "'maybe'", "row 1"),
        ([("a", "b", "yes")], ("context", "negatives", VERDICT), "negative", "negatives.csv"),
    ],
)
def test_a_sheet_that_cannot_be_read_is_an_error_that_names_the_place(tmp_path, rows, header, problem, where):
    with pytest.raises(PipelineError, match=problem) as caught:
        refused(sheet(tmp_path, *rows, header=header))
    assert where in str(caught.value)


def test_a_sheet_without_a_row_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(PipelineError, match="no rows") as caught:
        refused(sheet(tmp_path))
    assert "copy the CSV" in str(caught.value)


def test_another_text_takes_the_place_of_one_that_is_refused_for_this_context_alone():
    before = choose_negatives(examples(), {}, "english", Contrasts())["negative"].to_pylist()
    assert before[0] in TEXTS[1:3]
    [other] = set(TEXTS[1:3]) - {before[0]}
    after = choose_negatives(examples(), {}, "english", Contrasts(), {(TEXTS[0], before[0])})
    assert after["negative"].to_pylist() == [other, *before[1:]]


def test_a_labelled_text_that_is_refused_is_no_negative():
    labelled = {0: ("where is soup", "soup")}
    assert choose_negatives(examples(), labelled, "english", Contrasts())["source"][0].as_py() == "labelled"
    found = choose_negatives(examples(), labelled, "english", Contrasts(), {(TEXTS[0], "where is soup")})
    assert found["source"][0].as_py() == "mined"


def test_a_text_that_is_drawn_is_none_that_is_refused():
    false = {(TEXTS[0], text) for text in TEXTS[1:3]}
    for seed in range(20):
        found = choose_negatives(examples(), {}, "english", Contrasts(negatives="random", seed=seed), false)
        assert found["negative"][0].as_py() == TEXTS[3]
        whole = choose_negatives(examples(), {}, "english", Contrasts(negatives="random", seed=seed))
        assert found["negative"].to_pylist()[1:] == whole["negative"].to_pylist()[1:]
