"""Further references: brought by people, found by context, and used by every metric that compares with references."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline_lib.config.metrics import Metrics
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.references import cluster_references, further_references
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.suite import Files, score_file
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.references import REFERENCES
from pipeline_lib.schemas.responses import MEASURED, RESPONSES
from pipeline_lib.text.tokenisers import tokeniser

CONTEXTS = ["how are you ?", "who is there ?", "how are you ?"]
RESPONSES_GIVEN = ["fine .", "me .", "not well ."]
NUMBERS = [4, 7, 9]


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    columns = {
        "example_id": NUMBERS,
        "dialogue_id": ["d"] * 3,
        "turn": [0, 1, 2],
        "context": CONTEXTS,
        "response": RESPONSES_GIVEN,
        "user": [None] * 3,
        "label": [None] * 3,
    }
    write_parquet(tmp_path / "test.parquet", pa.table(columns, schema=EXAMPLES), EXAMPLES)
    return tmp_path / "test.parquet"


def _brought(folder: Path, *rows: tuple[str, str]) -> Path:
    path = folder / "more.jsonl"
    path.write_text("".join(json.dumps({"context": c, "reference": r}) + "\n" for c, r in rows), encoding="utf-8")
    return path


def test_a_reference_counts_for_every_example_with_its_context_and_never_twice(tmp_path: Path, examples: Path) -> None:
    rows = [("How are you?", "Not well."), ("how are you ?", "great !"), ("how are you ?", "Great!")]
    table = further_references(_brought(tmp_path, *rows), examples, tokeniser("english"))
    assert table.to_pylist() == [
        {"example_id": 4, "reference": "great !"},
        {"example_id": 4, "reference": "not well ."},
        {"example_id": 9, "reference": "great !"},  # "not well ." is its own response
    ]
    assert table.schema.equals(REFERENCES)


def test_contexts_that_the_split_does_not_have_are_an_error(tmp_path: Path, examples: Path) -> None:
    path = _brought(tmp_path, ("how are you ?", "great !"), ("where ?", "here ."))
    with pytest.raises(PipelineError, match=r"1 contexts are none of .* such as 'where \?'"):
        further_references(path, examples, tokeniser("english"))
    with pytest.raises(PipelineError, match="no references"):
        further_references(_brought(tmp_path), examples, tokeniser("english"))


def test_metrics_hold_a_response_against_all_references_and_say_so(tmp_path: Path) -> None:
    answers = ["great !", "me .", "bad ."]
    columns = {
        "example_id": NUMBERS,
        "sample": [0] * 3,
        "selection": ["none"] * 3,
        "context": CONTEXTS,
        "reference": RESPONSES_GIVEN,
        "response": answers,
        "tokens": [3, 3, 4],
    } | {name: [None] * 3 for name in ("group", "label", *MEASURED)}
    responses, references = tmp_path / "responses.parquet", tmp_path / "references.parquet"
    write_parquet(responses, pa.table(columns, schema=RESPONSES), RESPONSES)
    further = pa.table({"example_id": [4, 9, 9], "reference": ["great !", "very bad .", "great !"]}, schema=REFERENCES)
    write_parquet(references, further, REFERENCES)

    names = ["BLEU-2", "corpus-BLEU", "distinct-1"]
    rows, per_item = score_file(Files(responses, references=references), names, Metrics(), 1)
    alone, items_alone = score_file(Files(responses), names, Metrics(), 1)
    several = [["fine .", "great !"], ["me ."], ["not well .", "very bad .", "great !"]]
    expected = Items.of(CONTEXTS, several, answers)
    assert (
        expected.matches.numerators.tolist()
        == Items.from_table(pa.table(columns, schema=RESPONSES), further).matches.numerators.tolist()
    )
    assert per_item["BLEU-2"][0].as_py() > items_alone["BLEU-2"][0].as_py()
    signature = {row["metric"]: row["signature"] for row in rows}
    assert signature["BLEU-2"].endswith("|references:several")
    assert signature["corpus-BLEU"].endswith("|references:several")
    assert not signature["distinct-1"].endswith("|references:several")
    assert not any(row["signature"].endswith("|references:several") for row in alone)


def test_the_references_of_a_cluster_are_its_other_texts_and_those_of_no_other(tmp_path: Path) -> None:
    clusters = {
        "a": [("one", "two"), ("three", "two"), ("two", "one")],
        "b": [("one", "four")],
        "c": [("x", "y"), ("y", "z")],
    }
    rows = [(cluster, *pair) for cluster, pairs in clusters.items() for pair in pairs]
    columns = {
        "example_id": range(len(rows)),
        "dialogue_id": [row[0] for row in rows],
        "turn": range(len(rows)),
        "context": [row[1] for row in rows],
        "response": [row[2] for row in rows],
        "user": [None] * len(rows),
        "label": [None] * len(rows),
    }
    write_parquet(tmp_path / "test.parquet", pa.table(columns, schema=EXAMPLES), EXAMPLES)
    table = cluster_references(tmp_path / "test.parquet")
    expected = [
        {"example_id": number, "reference": text}
        for number, (cluster, *pair) in enumerate(rows)
        for text in sorted({text for other in clusters[cluster] for text in other} - set(pair))
    ]
    assert table.to_pylist() == expected
    assert table.schema.equals(REFERENCES)
