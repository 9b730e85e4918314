"""Systems that are one function of the user's own."""

import sys

import numpy as np
import pyarrow as pa
import pytest

from pipeline_lib.config.systems import SystemSettings
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.responses.functions import respond_with
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.schemas.vectors import vectors_schema
from pipeline_lib.text.tokenisers import english

MODULE = """
def told(contexts, train, vectors, seed, greeting="Hi"):
    return [f"{greeting}, {context} {len(train)} {vectors.matrix.shape[1]} {seed}!" for context in contexts.to_pylist()]

def short(contexts, train, vectors, seed):
    return ["only one"]

def silent(contexts, train, vectors, seed):
    return [None for _ in contexts]

def nothing(contexts, train, vectors, seed):
    pass

def other(contexts):
    return []
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    """(train of three examples, two examples to answer, word vectors of width 2), and a module ``own`` on the path."""

    def examples(name, contexts):
        n = len(contexts)
        columns = {"example_id": range(n), "dialogue_id": ["d"] * n, "turn": [0] * n}
        columns |= {"context": contexts, "response": ["secret"] * n, "user": [None] * n, "label": [None] * n}
        write_parquet(tmp_path / name, pa.table(columns), EXAMPLES)
        return tmp_path / name

    vectors = pa.table({"token": ["a"], "vector": pa.FixedSizeListArray.from_arrays(np.ones(2, np.float32), 2)})
    write_parquet(tmp_path / "vectors.parquet", vectors, vectors_schema(2), {"source": "made", "sha256": "0" * 64})
    (tmp_path / "own.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own", raising=False)
    return (
        examples("train.parquet", ["a", "b", "c"]),
        examples("test.parquet", ["x", "y"]),
        tmp_path / "vectors.parquet",
    )


def test_a_function_is_given_contexts_training_pairs_vectors_seed_and_options(files):
    table = respond_with("own.told", {"greeting": "Yo"}, *files, english, seed=7)
    assert table["response"].to_pylist() == ["yo , x 3 2 7 !", "yo , y 3 2 7 !"]  # tokenised like the corpus
    assert table["reference"].to_pylist() == ["secret", "secret"]
    assert table["nll"].null_count == 2  # it has no likelihood, and none is made up
    assert table.schema == RESPONSES


@pytest.mark.parametrize(
    ("function", "options", "problem"),
    [
        ("own.absent", {}, "no function 'own.absent' to call: .*absent"),
        ("nowhere.told", {}, "No module named 'nowhere'"),
        ("own.told", {"greting": "Yo"}, "unexpected keyword argument 'greting'"),
        ("own.other", {}, "too many positional arguments"),
        ("own.short", {}, "1 responses of type str to 2 contexts"),
        ("own.silent", {}, "2 responses of type NoneType to 2 contexts"),
        ("own.nothing", {}, "a value of type NoneType, not responses"),
    ],
)
def test_what_is_no_such_function_is_named(files, function, options, problem):
    with pytest.raises(PipelineError, match=problem) as error:
        respond_with(function, options, *files, english, seed=1)
    assert error.value.where in (f"function {function}", "systems.<name>.function")
    assert error.value.expected
    assert error.value.remedy


def test_a_function_is_not_trained_and_a_baseline_that_does_not_exist_is_refused():
    assert not SystemSettings(label="R", function="my.module.respond").trained
    assert SystemSettings(label="T", model="my.module:Model").trained
    with pytest.raises(ValueError, match="'random', 'human'"):
        SystemSettings(label="B", baseline="rndom")
    with pytest.raises(ValueError, match="pattern"):
        SystemSettings(label="F", function="respond")
