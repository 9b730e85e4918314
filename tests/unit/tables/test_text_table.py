"""Tables of texts: cases with every system's answers, whatever the texts hold."""

import csv
import re
from dataclasses import replace

import pyarrow as pa
import pytest

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import TextTable
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.cases import CASES
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.tables.files import read_table, write_table
from pipeline_lib.tables.latex import latex
from pipeline_lib.tables.markdown import markdown
from pipeline_lib.tables.texts import EMPTY, SHOWN, make
from unit.tables.table_fixtures import trained

SPEC = TextTable.model_validate({"kind": "texts", "title": "Cases", "number": "5", "from": "contradictions"})
HOSTILE = "a | b <script> $x_1$ 100 % \\ *bold* `code` # & ~ ^ { } \u2028"
LAYOUT = Layout(
    corpora={"dd": "Daily|Dialog_1"},
    systems={
        "seq2seq": trained("Seq2Seq"),
        "sepacvae": trained("SepaCVAE"),
    },
    seeds=[1],
)


@pytest.fixture
def made(tmp_path):
    """Makes a table of made-up cases and answers."""

    def write(answers=None, responses=2, asked=1):
        base = {"case": 1, "similarity": 0.25, "count": 1}
        rows = [
            base | {"split": "train", "context": "why ?", "example_id": i, "response": f"because {i}"}
            for i in range(responses)
        ]
        rows[0]["count"] = 3
        near = {"validation": 10, "test": 20}
        rows += [base | {"split": s, "context": HOSTILE, "example_id": p, "response": "ref"} for s, p in near.items()]
        write_parquet(tmp_path / "cases.parquet", pa.Table.from_pylist(rows, CASES), CASES, {"asked": str(asked)})
        items = []
        for split, example in near.items():
            by_system = answers or {
                "seq2seq": [("none", 0, HOSTILE), ("none", 1, "second")],
                "sepacvae": [("context", 0, ""), *([("oracle", 0, "knew it")] if split == "validation" else [])],
            }
            for system, given in by_system.items():
                columns = ("example_id", "selection", "sample", "response")
                table = pa.Table.from_pylist([dict(zip(columns, (example, *answer), strict=True)) for answer in given])
                if not given:
                    table = pa.table({name: [] for name in columns})
                kinds = pa.schema([(name, RESPONSES.field(name).type) for name in columns])
                items.append(tmp_path / f"{system}_{split}.parquet")
                write_parquet(items[-1], table.cast(kinds), kinds, {"corpus": "dd", "split": split, "system": system})
        return make("table5", SPEC, LAYOUT, [tmp_path / "cases.parquet"], items)

    return write


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_every_answer_stands_in_the_long_form_with_its_selection(made, tmp_path):
    table = made()
    write_table(table, *(tmp_path / f"table5.{kind}" for kind in ("csv", "md", "tex", "json")))
    assert read_table(tmp_path / "table5.json") == table
    with open(tmp_path / "table5.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["split"], row["label"], row["selection"], row["sample"], row["text"]) for row in rows[2:]] == [
        ("validation", "", "", "", "ref"),
        ("validation", "Seq2Seq", "none", "0", HOSTILE),
        ("validation", "Seq2Seq", "none", "1", "second"),
        ("validation", "SepaCVAE (oracle)", "oracle", "0", "knew it"),
        ("validation", "SepaCVAE (test rule)", "context", "0", ""),
        ("test", "", "", "", "ref"),
        ("test", "Seq2Seq", "none", "0", HOSTILE),
        ("test", "Seq2Seq", "none", "1", "second"),
        ("test", "SepaCVAE (test rule)", "context", "0", ""),
    ]


def test_no_text_of_the_csv_is_a_formula_to_a_spreadsheet(made, tmp_path):
    formula = {"seq2seq": [("none", 0, "=1+1")], "sepacvae": [("context", 0, "- no ?")]}
    write_table(made(answers=formula), *(tmp_path / f"table5.{kind}" for kind in ("csv", "md", "tex", "json")))
    with open(tmp_path / "table5.csv", newline="", encoding="utf-8") as file:
        texts = [row["text"] for row in csv.DictReader(file) if row["role"] == "answer"]
    assert texts == ["'=1+1", "'- no ?"] * 2


def test_markdown_keeps_its_columns_whatever_the_texts_hold(made):
    text = markdown(made())
    table = [cells(line) for line in text.splitlines() if line.startswith("|")]
    assert {len(line) for line in table} == {3}
    by_name = {line[0]: line[1:] for line in table}
    assert by_name["SepaCVAE (oracle)"] == ["knew it", "–"]
    assert by_name["SepaCVAE (test rule)"] == [EMPTY, EMPTY]
    assert by_name["Seq2Seq"][0].endswith("/ second")
    assert not re.search(r"(?<!\\)<", text)
    assert "because 0 (× 3)" in text


def test_latex_is_balanced_and_holds_no_raw_markup(made):
    text = latex(made())
    for name in ("table*", "tabular"):
        assert text.count(f"\\begin{{{name}}}") == text.count(f"\\end{{{name}}}")
    plain = re.sub(r"\\[{}\\]", "", text)
    assert plain.count("{") == plain.count("}")
    lines = [line for line in text.splitlines() if line.endswith(r"\\") and re.search(r"(?<!\\)&", line)]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {1, 2}
    assert not re.search(r"(?<!\\)[#^~]|\u2028", text)


def test_the_notes_stand_once_in_latex_below_the_last_float(made):
    table = made()
    one = table.sections[0]
    twice = replace(table, sections=[replace(one, blocks=one.blocks * 2), one, replace(one, blocks=[])])
    text = latex(twice)
    assert text.count(r"\begin{table*}") == 3
    for note in ("Answers of the runs with seed 1", "(oracle): the group was chosen"):
        assert text.count(note) == 1
        assert text.index(note) > text.rindex(r"\begin{table*}")


def test_many_training_responses_are_cut_in_print_and_not_in_the_csv(made):
    table = made(responses=SHOWN + 4)
    assert "… and 4 more" in markdown(table)
    assert sum(row["role"] == "response" for row in table.records) == SHOWN + 4


def test_each_column_of_answers_knows_the_example_that_it_is_about(made):
    """The page links it to the explorer."""
    block = made().sections[0].blocks[0]
    assert block.examples == [{"corpus": "dd", "split": s, "example": e} for s, e in (("validation", 10), ("test", 20))]
    assert len(block.lines[0]) == 1 + len(block.examples)


def test_fewer_cases_than_asked_for_are_owned_up_to(made):
    assert "1 of the 5 cases that were asked for" in markdown(made(asked=5))


def test_a_system_without_a_response_is_an_error_that_names_system_file_and_pair(made):
    with pytest.raises(PipelineError) as error:
        made(answers={"seq2seq": [], "sepacvae": [("context", 0, "x")]})
    assert error.value.problem == "seq2seq has no response to example 10"
    assert "seq2seq_validation.parquet" in error.value.where
    assert error.value.expected
    assert error.value.remedy
