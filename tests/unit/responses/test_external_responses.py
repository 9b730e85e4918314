"""Responses that were made elsewhere, one or several to a context."""

import json

import numpy as np
import pyarrow as pa
import pytest

from pipeline_lib.config.metrics import Metrics
from pipeline_lib.config.significance import Significance
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet, write_parquet
from pipeline_lib.metrics.named import metric_names
from pipeline_lib.metrics.suite import Files, score_file
from pipeline_lib.responses.external import external
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.schemas.vectors import vectors_schema
from pipeline_lib.significance.comparisons import compare_with
from pipeline_lib.significance.outputs import read_outputs
from pipeline_lib.text.tokenisers import characters, english, spaces
from unit.refusals import refusal


@pytest.fixture
def examples(tmp_path):
    """Three examples, two of one context."""
    table = {
        "example_id": [1, 2, 3],
        "dialogue_id": ["a", "b", "c"],
        "turn": [0, 0, 0],
        "context": ["how are you ?", "good night .", "how are you ?"],
        "response": ["fine .", "sleep well .", "so so ."],
        "user": [None] * 3,
        "label": [None, 4, None],
    }
    write_parquet(tmp_path / "test.parquet", pa.table(table), EXAMPLES)
    return tmp_path / "test.parquet"


def answers(examples, rows, names=("context", "response", "sample")):
    path = examples.with_name("answers.jsonl")
    path.write_text("".join(json.dumps(dict(zip(names, row, strict=False))) + "\n" for row in rows))
    return path


def test_responses_are_tokenised_like_the_corpus_and_contexts_may_hold_reserved_tokens(examples):
    several_turns = read_parquet(examples)
    contexts = ["<unk> day <turn> N days", "ok", "ok"]
    several_turns = several_turns.set_column(3, "context", pa.array(contexts))
    write_parquet(examples, several_turns, EXAMPLES)
    given = answers(examples, [("<unk> day <turn> N days", "No, N."), (" ok ", "No, N.")])
    for tokeniser, said in ((english, "no , n ."), (spaces, "No, N."), (characters, "no , n .")):
        assert external(given, examples, tokeniser)["response"].to_pylist() == [said] * 3


def test_every_pair_gets_its_contexts_response_tokenised_like_the_corpus(examples):
    table = external(answers(examples, [("good night .", "Bye, you!"), ("how are you ?", "Well.")]), examples, english)
    assert table.schema == RESPONSES
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
        ([("good night .", "a", 3), ("good night .", "b", 3), ("how are you ?", "b", 0)], "sample 3 of context 'good"),
        ([("good night .", "a", 0), ("how are you ?", "b", "x")], "column 'sample'|not readable"),
        ([("good night .", "a"), ("how are you ?", None)], "response is missing in 1 of 2 rows"),
    ],
)
def test_a_missing_an_unknown_and_an_ambiguous_answer_are_named(examples, rows, problem):
    path = answers(examples, rows)
    with pytest.raises(PipelineError, match=problem) as error:
        external(path, examples, english)
    assert str(path) in str(error.value)
    assert error.value.expected
    assert error.value.remedy


@pytest.mark.parametrize("content", ["", "context,response\n"])
def test_an_empty_file_is_named(examples, content):
    path = examples.with_name("answers.csv")
    path.write_text(content)
    with pytest.raises(PipelineError, match=r"no rows|not readable") as error:
        external(path, examples, english)
    assert str(path) in str(error.value)


def test_a_file_without_responses_names_the_column(examples):
    path = examples.with_name("answers.csv")
    path.write_text("context,respons\ngood night .,bye\n")
    with pytest.raises(PipelineError, match="no column 'response'") as error:
        external(path, examples, english)
    assert "did you mean 'respons'?" in str(error.value)


# --- several responses to a context --------------------------------------------------------------------------------

SEVERAL = [("how are you ?", "fine ."), ("good night .", "sleep ."), ("how are you ?", "so ."), ("how are you ?", "ok")]


def test_the_different_responses_to_a_context_are_numbered_as_they_stand_in_the_file(examples):
    table = external(answers(examples, [*SEVERAL, SEVERAL[0]]), examples, english)
    assert table["example_id"].to_pylist() == [1, 1, 1, 2, 3, 3, 3]
    assert table["sample"].to_pylist() == [0, 1, 2, 0, 0, 1, 2]
    assert table["response"].to_pylist() == ["fine .", "so .", "ok", "sleep .", "fine .", "so .", "ok"]
    assert table["reference"].to_pylist() == ["fine ."] * 3 + ["sleep well ."] + ["so so ."] * 3


def test_numbered_samples_keep_their_order_and_their_repetitions(examples):
    rows = [("how are you ?", "b", 7), ("good night .", "n", 2), ("how are you ?", "a", 3), ("how are you ?", "a", 9)]
    table = external(answers(examples, rows), examples, english)
    assert table["response"].to_pylist() == ["a", "b", "a", "n", "a", "b", "a"]
    assert table["sample"].to_pylist() == [0, 1, 2, 0, 0, 1, 2]


def test_more_responses_to_a_context_than_their_numbers_hold_are_refused(examples):
    rows = [("how are you ?", f"{number} .") for number in range(2**15)]
    error = refusal(lambda: external(answers(examples, [*rows, ("good night .", "n")]), examples, english))
    assert error.problem == "32,768 responses to one context, 'how are you ?'"


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_csv_and_a_parquet_file_say_the_same_as_json_lines(examples, kind):
    rows = [(*row, number) for number, row in enumerate(SEVERAL)]
    table = pa.table(dict(zip(("context", "response", "sample"), zip(*rows, strict=True), strict=True)))
    path = examples.with_name(f"answers.{kind}")
    if kind == "csv":
        path.write_text("\n".join(["context,response,sample", *(f'"{c}","{r}",{k}' for c, r, k in rows)]))
    else:
        write_parquet(path, table, table.schema)
    assert external(path, examples, english).equals(external(answers(examples, rows), examples, english))


def vectors_file(folder):
    words = ["fine", ".", "so", "ok", "sleep", "well"]
    matrix = np.random.default_rng(0).normal(size=(len(words), 4)).astype(np.float32)
    table = pa.table({"token": words, "vector": pa.FixedSizeListArray.from_arrays(matrix.ravel(), 4)})
    write_parquet(folder / "vectors.parquet", table, vectors_schema(4), {"source": "tiny", "sha256": "ab" * 32})
    return folder / "vectors.parquet"


def scored(folder, table, system="llm"):
    """(metric -> row of scores, per-item table), both also written."""
    write_parquet(folder / "responses.parquet", table, RESPONSES)
    rows, items = score_file(
        Files(folder / "responses.parquet", vectors_file(folder)), metric_names(), Metrics(bootstrap=40), 1
    )
    about = {"corpus": "c", "split": "test", "system": system, "seed": "1"}
    write_parquet(folder / f"{system}.parquet", items, items.schema, about)
    return {row["metric"]: row for row in rows}, items


def test_a_pairs_figure_is_the_mean_over_its_responses_and_a_metric_the_mean_over_pairs(examples):
    table = external(answers(examples, SEVERAL), examples, english)
    scores, items = scored(examples.parent, table)
    assert items.select(["example_id", "sample"]).to_pylist() == table.select(["example_id", "sample"]).to_pylist()
    for name in ("Average", "Greedy", "Extrema", "coherence", "BLEU-1", "BLEU-2|current|onehot", "length"):
        by_example = {}
        for row in items.to_pylist():
            by_example.setdefault(row["example_id"], []).append(row[name])
        expected = np.mean([np.mean(values) for values in by_example.values()])
        assert scores[name]["value"] == pytest.approx(expected), name
        assert scores[name]["n"] == 3
        assert scores[name]["low"] <= expected <= scores[name]["high"]
    assert scores["length"]["value"] == pytest.approx((5 / 3 + 2 + 5 / 3) / 3)
    words = " ".join(table["response"].to_pylist()).split()
    assert scores["distinct-1"]["value"] == pytest.approx(len(set(words)) / len(words))


def test_as_many_responses_to_every_context_give_the_mean_of_the_runs_with_one_each(examples):
    rows = [("how are you ?", "fine .", 0), ("how are you ?", "so so .", 1)]
    rows += [("good night .", "sleep well .", 0), ("good night .", "so .", 1)]
    together, _ = scored(examples.parent, external(answers(examples, rows), examples, english))
    alone = [scored(examples.parent, external(answers(examples, rows[k::2]), examples, english))[0] for k in (0, 1)]
    for name in ("Average", "Greedy", "Extrema", "coherence", "BLEU-1", "BLEU-4", "length"):
        assert together[name]["value"] == pytest.approx(np.mean([scores[name]["value"] for scores in alone])), name


def test_saying_everything_twice_changes_no_figure_but_distinct(examples):
    once = [("how are you ?", "fine so ."), ("good night .", "sleep well .")]
    twice = [(*row, sample) for row in once for sample in (0, 1)]
    before, _ = scored(examples.parent, external(answers(examples, once), examples, english))
    after, _ = scored(examples.parent, external(answers(examples, twice), examples, english))
    for name, row in after.items():
        if row["value"] is not None and not name.startswith("distinct"):
            assert row["value"] == pytest.approx(before[name]["value"]), name
            assert (row["low"], row["high"]) == pytest.approx((before[name]["low"], before[name]["high"])), name


def test_paired_tests_compare_pairs_and_leave_distinct_to_systems_with_one_response_each(examples):
    single = [("how are you ?", "so so ."), ("good night .", "fine")]
    files = []
    for system, rows in (("one", single), ("several", SEVERAL)):
        scored(examples.parent, external(answers(examples, rows), examples, english), system)
        files.append(examples.parent / f"{system}.parquet")
    one, several = read_outputs(files, ["one", "several"], metric_names())
    assert one.examples.tolist() == several.examples.tolist() == [1, 2, 3]
    found = {
        row.metric: row.comparison for row in compare_with(one, [several], Significance(trials=64), metric_names())
    }
    assert "distinct-1" not in found
    assert found["length"].difference == pytest.approx((5 / 3 + 2 + 5 / 3) / 3 - (3 + 1 + 3) / 3)
    assert 0 < found["corpus-BLEU"].p <= 1
