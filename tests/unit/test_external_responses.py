"""Responses that were made elsewhere."""

import json

import pyarrow as pa
import pytest

from pipeline_lib import schema, storage
from pipeline_lib.decoding.external import external
from pipeline_lib.errors import PipelineError


@pytest.fixture
def pairs(tmp_path):
    """Three pairs, two of one context."""
    table = {
        "pair_id": [1, 2, 3],
        "dialogue_id": ["a", "b", "c"],
        "turn": [0, 0, 0],
        "context": ["how are you ?", "good night .", "how are you ?"],
        "response": ["fine .", "sleep well .", "so so ."],
        "label": [None, 4, None],
    }
    storage.write_parquet(tmp_path / "test.parquet", pa.table(table), schema.PAIRS)
    return tmp_path / "test.parquet"


def answers(pairs, rows):
    path = pairs.with_name("answers.jsonl")
    path.write_text("".join(json.dumps({"context": c, "response": r}) + "\n" for c, r in rows))
    return path


def test_every_pair_gets_its_contexts_response_tokenised_like_the_corpus(pairs):
    table = external(answers(pairs, [("good night .", "Bye, you!"), ("how are you ?", "Well.")]), pairs)
    assert table.schema == schema.RESPONSES
    assert table["response"].to_pylist() == ["well .", "bye , you !", "well ."]
    assert table["reference"].to_pylist() == ["fine .", "sleep well .", "so so ."]
    assert table["tokens"].to_pylist() == [3, 4, 4]  # the end token is counted
    assert table["label"].to_pylist() == [None, 4, None]
    assert table["nll"].null_count == 3


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([("good night .", "bye")], r"1 of 2 contexts have no response, such as 'how are you \?'"),
        ([("good night .", "a"), ("how are you ?", "b"), ("who ?", "c")], r"1 contexts are none of .*'who \?'"),
        ([("good night .", "a"), ("good night .", "b"), ("how are you ?", "b")], "several different responses"),
    ],
)
def test_a_missing_an_unknown_and_a_twice_answered_context_are_named(pairs, rows, problem):
    path = answers(pairs, rows)
    with pytest.raises(PipelineError, match=problem) as error:
        external(path, pairs)
    assert str(path) in str(error.value)


def test_a_file_without_responses_names_the_column(pairs):
    path = pairs.with_name("answers.csv")
    path.write_text("context,respons\ngood night .,bye\n")
    with pytest.raises(PipelineError, match="no column 'response'") as error:
        external(path, pairs)
    assert "did you mean 'respons'?" in str(error.value)
