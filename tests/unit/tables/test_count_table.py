"""Tables of counts, and the values that papers print."""

import csv
import re
from dataclasses import fields

import pytest
import yaml

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import CountTable
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.counting import REASONS
from pipeline_lib.examples.overlap import Overlap
from pipeline_lib.tables.counts import make
from pipeline_lib.tables.files import long_form, read_table, write_table
from pipeline_lib.tables.markdown import markdown
from pipeline_lib.tables.published import Published
from unit.tables.table_fixtures import PUBLISHED, published

LAYOUT = Layout(corpora={"dd": "DailyDialog"}, systems={}, seeds=[])
COLUMNS = {
    "vocabulary": "vocabulary",
    "train pairs": "train.examples",
    "contexts with several responses": "train.one_to_many_contexts",
    "most contexts of one response": "train.most_contexts",
}
SPEC = CountTable(kind="counts", title="Corpora", number="1", columns=COLUMNS, notes=["Counted once."])


NO_OVERLAP = dict.fromkeys((field.name for field in fields(Overlap)), 0)


def counts(**changes):
    split = {
        "examples": 10,
        "one_to_many_contexts": 3,
        "most_responses": 4,
        "many_to_one_responses": 2,
        "most_contexts": 5,
        "dropped": dict.fromkeys(REASONS, 0),
    }
    return {
        "corpus": "dd",
        "vocabulary": 10_100,
        "splits": {"train": split, "validation": split | NO_OVERLAP, "test": split | NO_OVERLAP},
        "lost": [],
    } | changes


def test_our_counts_are_beside_the_published_ones(tmp_path):
    table = make("table1", SPEC, LAYOUT, {"dd": counts()}, published())
    row = long_form(table)[0]
    assert (row["vocabulary"], row["vocabulary published"], row["vocabulary difference"]) == (10_100, 10_064, 36)
    assert row["contexts with several responses published"] == 408
    assert row["most contexts of one response published"] is None
    text = markdown(table)
    assert "| vocabulary" in text
    assert "+36" in text
    assert "- Counted once." in text
    write_table(table, *(tmp_path / f"t.{kind}" for kind in ("csv", "md", "tex", "json")))
    assert read_table(tmp_path / "t.json") == table


def test_what_was_dropped_and_what_training_has_are_further_columns_where_a_corpus_has_any():
    some, other = counts(), counts(corpus="own")
    some["splits"]["test"] = some["splits"]["test"] | {"pairs_in_training": 7}
    other["splits"]["train"] = other["splits"]["train"] | {"dropped": dict.fromkeys(REASONS, 0) | {"rare_token": 1_200}}
    layout = LAYOUT.model_copy(update={"corpora": {"dd": "DailyDialog", "own": "Own"}})
    columns = COLUMNS | {"test pairs": "test.examples"}
    spec = SPEC.model_copy(update={"columns": columns})
    table = make("table1", spec, layout, {"dd": some, "own": other}, published())
    assert [column.name for column in table.columns] == list(columns)
    assert [column.name for column in table.extra] == ["train dropped: rare token", "test pairs in training"]
    assert [[row.cells[column.name].mean for column in table.extra] for row in table.rows] == [[0, 7], [1_200, 0]]
    assert "| train dropped: rare token " in markdown(table)
    assert long_form(table)[1]["train dropped: rare token"] == 1_200
    assert [note.split()[0] for note in table.notes] == ["Counted", "A", "In"]
    of_training = make("table1", SPEC, layout, {"dd": some, "own": other}, published())
    assert [column.name for column in of_training.extra] == ["train dropped: rare token"]
    named = SPEC.model_copy(update={"columns": {"rare": "train.dropped.rare_token"}})
    assert make("table1", named, layout, {"dd": some, "own": other}, published()).extra == []


def test_examples_without_words_are_among_what_was_dropped():
    some = counts()
    some["splits"]["train"]["dropped"] |= {"empty": 3}
    table = make("table1", SPEC, LAYOUT, {"dd": some}, published())
    assert [(column.name, table.rows[0].cells[column.name].mean) for column in table.extra] == [
        ("train dropped: empty", 3)
    ]
    assert [note.split(":")[0] for note in table.notes][2:] == ["Dropped as empty"]


def test_a_corpus_that_loses_and_shares_nothing_has_the_columns_of_the_paper_alone():
    table = make("table1", SPEC, LAYOUT, {"dd": counts()}, published())
    assert table.extra == []
    assert table.notes == ["Counted once."]


def test_what_a_corpus_lost_is_a_note_below_its_counts():
    lost = ["examples dropped for an unknown token: 41.8 % of test (974 of 2,330)"]
    table = make("table1", SPEC, LAYOUT, {"dd": counts(lost=lost)}, published())
    assert table.notes == ["Counted once.", f"Corpus dd: {lost[0]}."]


def test_notes_on_published_values_stand_only_where_there_are_some():
    spec = SPEC.model_copy(update={"published_notes": ["Printed in 2021."]})
    assert make("table1", spec, LAYOUT, {"dd": counts()}, published()).notes == ["Counted once.", "Printed in 2021."]
    own = LAYOUT.model_copy(update={"corpora": {"dd": "A corpus of one's own"}})
    assert make("table1", spec, own, {"dd": counts()}, published()).notes == ["Counted once."]


@pytest.mark.parametrize("file", sorted(PUBLISHED.parents[1].glob("*/paper.yaml")), ids=lambda file: file.parent.name)
def test_what_a_shipped_paper_says_of_published_values_stands_in_the_notes_on_these(file):
    """Its captions and other notes are printed for corpora that the paper never saw, too."""
    for name, table in yaml.safe_load(file.read_text(encoding="utf-8"))["tables"].items():
        for text in (table.get("caption", ""), *table.get("notes", ())):
            assert not re.search("publish|paper prints|paper's own", text), (name, text)


@pytest.mark.parametrize("path", ["train.examples", "train.words", "words"])
def test_a_missing_count_is_an_error_that_names_it(path):
    spec = SPEC.model_copy(update={"columns": {"a": path}})
    with pytest.raises(PipelineError, match=f"no count '{path}'") as error:
        make("table1", spec, LAYOUT, {"dd": counts(splits={"train": {}})}, published())
    assert error.value.where == "counts of dd"
    assert error.value.remedy


def test_published_values_are_found_by_their_place():
    found = published().value("3", "BLEU-2", "SepaCVAE", "DailyDialog", "test")
    assert (found.value, found.text) == (0.409, "0.409±0.01")
    assert published().value("3", "no such column", "SepaCVAE", "DailyDialog", "test") is None
    assert published().value(None, "BLEU-2", "SepaCVAE", "DailyDialog", "test") is None  # of no table of the paper
    assert published().value("4", "Pearson relevance", "annotators").value == 0.63
    assert published().value("3", "BLEU-2", "SepaCVAE", split="test") is None  # of two corpora, which differ


@pytest.mark.parametrize(
    "path", sorted(PUBLISHED.parents[1].glob("*/published.csv")), ids=lambda path: path.parent.name
)
def test_every_published_value_is_found_again_and_bounds_keep_their_text(path):
    values = Published.read(path)
    for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
        found = values.value(row["table"], row["column"], row["system"], row["dataset"], row["split"])
        assert found.text.startswith(row["value"])
        assert found.value == (None if row["value"].startswith(">") else float(row["value"]))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("table,dataset,split,system,column,value\n", "no column 'sd'"),
        ("table,dataset,split,system,column,value,sd\n2,a,b,c,d,about 3,\n", "'about 3' is not a number"),
        ("table,dataset,split,system,column,value,sd\n2,a,b,c,d,3,\n2,a,b,c,d,4,\n", "two values of one place"),
        ("table,dataset,split,system,column,value,sd\n2,a,b,c,d,1,042.9,.2\n", "another number of cells"),
        ("table,dataset,split,system,column,value,sd\n2,a,b,c,d\n", "another number of cells"),
        ('table,dataset,split,system,column,value,sd\n2,a,b,c,d,3,".1\n2,a,b,c,e,4,\n', "not readable as CSV"),
        ("table,dataset,split,system,column,value,sd\n2,a,b,c,d,nan,\n", "'nan' is not a number"),
        ("table,dataset,split,system,column,value,sd\n2,a,b,c,d,>,\n", "'>' is not a number"),
        ("table,dataset,split,system,column,value,sd\n2,a,b,c,d,3,abc\n", "'abc' is not a number"),
    ],
)
def test_a_fault_in_the_published_values_is_named_with_its_line(tmp_path, text, problem):
    path = tmp_path / "published.csv"
    path.write_text(text)
    with pytest.raises(PipelineError, match=problem) as error:
        Published.read(path)
    assert str(path) in error.value.where
    assert error.value.remedy
