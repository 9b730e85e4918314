"""Table 5: which contexts become cases, against word vectors whose cosines can be worked out by hand."""

import csv
import re
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from pipeline_lib.config.cases import Cases

from pipeline_lib.analyses.contradictions import _count_new, _mean_cosine, _nearest, find_cases
from pipeline_lib.config.systems import SystemSettings
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.cases import CASES
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.schemas.vectors import vectors_schema
from pipeline_lib.tables.cells import Layout
from pipeline_lib.tables.files import write_csv
from pipeline_lib.tables.texts import EMPTY, SHOWN, case_rows, latex, markdown

# two directions of meaning: weather and money
WEATHER = {word: (1.0, 0.0) for word in ("rain", "cloud", "storm", "umbrella", "snow", "wind")}
MONEY = {word: (0.0, 1.0) for word in ("card", "bank", "cheque", "coin", "loan", "credit")}


def examples_of(*texts, first=0):
    rows = [
        {
            "example_id": first + i,
            "dialogue_id": "d",
            "turn": 0,
            "context": context,
            "response": response,
            "label": None,
        }
        for i, (context, response) in enumerate(texts)
    ]
    return pa.Table.from_pylist(rows, EXAMPLES)


@pytest.fixture
def find(tmp_path):
    """Gives the cases of a made-up corpus."""

    def run(train, validation=None, test=None, **settings):
        near = [("rain cloud storm", "yes"), ("card bank cheque", "no")]
        tables = {"train": train, "validation": validation or near, "test": test or near}
        files = {}
        for i, (split, texts) in enumerate(tables.items()):
            files[split] = tmp_path / f"{split}.parquet"
            write_parquet(files[split], examples_of(*texts, first=1000 * i), EXAMPLES)
        words = WEATHER | MONEY | {"the": (1.0, 1.0), "is": (0.5, 1.0), "n't": (1.0, 0.0), ".": (1.0, 1.0)}
        table = pa.table(
            {"token": list(words), "vector": pa.array(list(words.values()), pa.list_(pa.float32(), 2))},
            schema=vectors_schema(2),
        )
        write_parquet(tmp_path / "vectors.parquet", table, vectors_schema(2), {"source": "made", "sha256": "0" * 64})
        return find_cases(files, tmp_path / "vectors.parquet", Cases(**settings)).to_pylist()

    return run


CONTRADICTORY = [
    ("rain cloud umbrella", "rain ."),
    ("rain cloud umbrella", "card ."),
    ("snow", "wind"),
    ("loan", "coin"),
]


def test_a_context_with_opposite_responses_is_a_case_with_its_nearest_contexts(find):
    rows = find(CONTRADICTORY)
    assert [(row["split"], row["context"], row["response"]) for row in rows] == [
        ("train", "rain cloud umbrella", "rain ."),
        ("train", "rain cloud umbrella", "card ."),
        ("validation", "rain cloud storm", "yes"),
        ("test", "rain cloud storm", "yes"),
    ]
    assert [row["similarity"] for row in rows] == pytest.approx([0, 0, 1, 1], abs=1e-6)  # right angle; same direction
    assert [row["example_id"] for row in rows] == [0, 1, 1000, 2000]


def test_a_context_with_alike_responses_is_no_case(find):
    alike = [("rain cloud umbrella", "rain ."), ("rain cloud umbrella", "snow ."), ("card", "coin"), ("card", "storm")]
    assert find(alike) == []


@pytest.mark.parametrize(
    "context",
    [
        "rain",  # one token
        "the is the is",  # stop words
        "rain n't rain . rain cloud",  # two different content words, a clitic and a stop
        "unknown words without vectors",
    ],
)
def test_a_context_without_content_is_no_case(find, context):
    assert find([(context, "rain"), (context, "card"), ("snow", "wind"), ("loan", "coin")]) == []


def test_repeated_responses_are_counted_and_shown_first(find):
    rows = find([*CONTRADICTORY, ("rain cloud umbrella", "card .")])
    of_train = [(row["response"], row["count"]) for row in rows if row["split"] == "train"]
    assert of_train == [("card .", 2), ("rain .", 1)]


def test_near_duplicates_are_neither_two_responses_nor_two_cases(find):
    assert _count_new([{"it", "is", "rain"}, {"it", "is", "card"}, {"loan"}]) == 2
    twice = [(f"rain cloud {word}", answer) for word in ("umbrella", "snow") for answer in ("rain .", "card .")]
    rows = find([*twice, ("snow", "wind"), ("loan", "coin")])
    assert {row["context"] for row in rows if row["split"] == "train"} == {"rain cloud snow"}  # first in the alphabet


def test_no_more_cases_are_taken_than_asked_for_and_the_least_alike_come_first(find):
    nearly = [("bank cheque loan", "card loan storm"), ("bank cheque loan", "rain")]
    more = [*CONTRADICTORY, *nearly]
    assert [row["context"] for row in find(more) if row["split"] == "train"][::2] == [
        "rain cloud umbrella",
        "bank cheque loan",
    ]
    assert {row["context"] for row in find(more, contexts=1) if row["split"] == "train"} == {"rain cloud umbrella"}


def test_the_mean_cosine_of_a_set_is_that_of_its_pairs():
    vectors = np.random.default_rng(0).normal(size=(7, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    examples = [float(a @ b) for a, b in combinations(vectors, 2)]
    assert float(_mean_cosine(vectors.sum(axis=0), np.array(7))) == pytest.approx(np.mean(examples))


def test_the_nearest_are_those_of_a_sorted_list_and_ties_go_to_the_first():
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=(1500, 3)), rng.normal(size=(40, 3))
    left, right = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (left, right))
    right[7] = right[3]
    index, cosine = _nearest(left, right, 3)
    expected = [sorted(range(40), key=lambda j: (-round(float(row @ right[j]), 6), j))[:3] for row in left]
    assert index.tolist() == expected
    assert cosine[:, 0] == pytest.approx((left @ right.T).max(axis=1), abs=1e-6)


# --- the table -----------------------------------------------------------------------------------------------------

HOSTILE = "a | b <script> $x_1$ 100 % \\ *bold* `code` # & ~ ^ { } \u2028"
LAYOUT = Layout(
    corpora={"dd": "Daily|Dialog_1"},
    systems={
        "seq2seq": SystemSettings(label="Seq2Seq", model="m:Seq2Seq"),
        "sepacvae": SystemSettings(label="SepaCVAE", model="m:SepaCVAE"),
    },
    seeds=[1],
)


@pytest.fixture
def made(tmp_path):
    """Writes cases and items; gives what `case_rows` takes."""

    def write(answers=None, responses=2):
        base = {"case": 1, "similarity": 0.25, "count": 1}
        rows = [
            base | {"split": "train", "context": "why ?", "example_id": i, "response": f"because {i}"}
            for i in range(responses)
        ]
        rows[0]["count"] = 3
        near = {"validation": 10, "test": 20}
        rows += [base | {"split": s, "context": HOSTILE, "example_id": p, "response": "ref"} for s, p in near.items()]
        write_parquet(tmp_path / "cases.parquet", pa.Table.from_pylist(rows, CASES), CASES)
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
        return {"dd": tmp_path / "cases.parquet"}, items, LAYOUT

    return write


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_every_answer_stands_in_the_long_form_with_its_selection(made, tmp_path):
    write_csv(tmp_path / "table5.csv", case_rows(*made()))
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


def test_markdown_keeps_its_columns_whatever_the_texts_hold(made):
    text = markdown(case_rows(*made()), LAYOUT, asked=1)
    table = [cells(line) for line in text.splitlines() if line.startswith("|")]
    assert {len(line) for line in table} == {3}
    by_name = {line[0]: line[1:] for line in table}
    assert by_name["SepaCVAE (oracle)"] == ["knew it", "–"]
    assert by_name["SepaCVAE (test rule)"] == [EMPTY, EMPTY]
    assert by_name["Seq2Seq"][0].endswith("/ second")
    assert not re.search(r"(?<!\\)<", text)
    assert "because 0 (× 3)" in text


def test_latex_is_balanced_and_holds_no_raw_markup(made):
    text = latex(case_rows(*made()), LAYOUT, asked=1)
    for name in ("table*", "tabular"):
        assert text.count(f"\\begin{{{name}}}") == text.count(f"\\end{{{name}}}")
    plain = re.sub(r"\\[{}\\]", "", text)
    assert plain.count("{") == plain.count("}")
    lines = [line for line in text.splitlines() if line.endswith(r"\\") and re.search(r"(?<!\\)&", line)]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {1, 2}
    assert not re.search(r"(?<!\\)[#^~]|\u2028", text)


def test_many_training_responses_are_cut_in_print_and_not_in_the_csv(made):
    rows = case_rows(*made(responses=SHOWN + 4))
    assert "… and 4 more" in markdown(rows, LAYOUT, asked=1)
    assert sum(row["role"] == "response" for row in rows.to_pylist()) == SHOWN + 4


def test_fewer_cases_than_asked_for_are_owned_up_to(made):
    assert "1 of the 5 cases that were asked for" in markdown(case_rows(*made()), LAYOUT, asked=5)


def test_a_system_without_a_response_is_an_error_that_names_system_file_and_pair(made):
    with pytest.raises(PipelineError) as error:
        case_rows(*made(answers={"seq2seq": [], "sepacvae": [("context", 0, "x")]}))
    assert error.value.problem == "seq2seq has no response to example 10"
    assert "seq2seq_validation.parquet" in error.value.where
    assert error.value.expected
    assert error.value.remedy
