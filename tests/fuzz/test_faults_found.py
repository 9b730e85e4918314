"""What fuzzing has found, each fault by its name, so that none comes back."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzz_corpora import dialogues, read
from fuzz_promise import in_time
from fuzz_ratings import DRAW, ROWS
from fuzz_settings import DEFAULT
from fuzz_tables import CONTEXTS, PAIRS
from fuzz_vectors import WANTED

from pipeline_lib.config.corpora import RemoteFile
from pipeline_lib.config.loading import Layer, load, read_yaml
from pipeline_lib.corpora import dailydialog, lines, numbered, table
from pipeline_lib.corpora.readers import verified_files
from pipeline_lib.errors import PipelineError
from pipeline_lib.files import user_tables
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.ratings.draw import read_draw
from pipeline_lib.ratings.filled import read_ratings
from pipeline_lib.responses.external import external
from pipeline_lib.schemas.dialogues import SPLITS
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.text.tokenisers import english
from pipeline_lib.vectors.glove import select_vectors


def put(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# --- corpora -------------------------------------------------------------------------------------------------------


def test_a_line_separator_inside_a_turn_does_not_end_its_dialogue(tmp_path: Path) -> None:
    text = "one\u2028still one __eou__ two\x85still two __eou__\n"
    files = [put(tmp_path / f"dialogues_{split}.txt", text) for split in SPLITS]
    result = read(dailydialog, files)
    assert result is not None
    assert dialogues(result[0])["train-000001"] == [(0, "one\u2028still one"), (1, "two…still two")]  # as windows-1252


@pytest.mark.parametrize(
    "line", ["1 \t Yes .\t1.0", "1 Hello .\t\tcandidate", "1 \xa0\tYes .", "1\tonly a response\t1"]
)
def test_a_pair_with_an_empty_side_does_not_take_the_next_column_for_it(tmp_path: Path, line: str) -> None:
    result = read(numbered, [put(tmp_path / "a.txt", line)])
    assert result is not None
    assert result[0] == []
    assert result[1]["broken lines"] == 1


def test_a_byte_order_mark_is_left_out_at_the_start_of_a_file_and_nowhere_else(tmp_path: Path) -> None:
    path = put(tmp_path / "a.txt", "\ufeffone\n" * 3)
    found = [line for array in lines.subtitle_lines(path, Counter()) for line in array.to_pylist()]
    assert found == ["one", "\ufeffone", "\ufeffone"]


def test_lines_with_bytes_that_are_not_utf8_are_counted_once_each_in_time_that_grows_with_the_file(
    tmp_path: Path,
) -> None:
    path = put(tmp_path / "a.txt", b"\0" * 400_000 + b"\n\xff and \xff\n\na\r\xff\n")
    skipped: Counter[str] = Counter()
    found = in_time(lambda: [line for array in lines.subtitle_lines(path, skipped) for line in array.to_pylist()])
    assert found == ["\0" * 400_000, "\ufffd and \ufffd", "", "a\r\ufffd"]
    assert list(skipped.values()) == [2]


# --- tables --------------------------------------------------------------------------------------------------------

TABLE = [{"dialogue": f"d{i}", "turn": turn, "text": f"text {turn}"} for i in range(3) for turn in range(2)]


def as_lines(rows: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def parquet(columns: dict[str, pa.Array]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


INVALID_UTF8 = pa.Array.from_buffers(
    pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer(b"a\xff")]
)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("quote.csv", 'dialogue,turn,text\nd,0,"open\nd,1,b\ne,0,c\n', "unexpected end of data"),
        ("after.csv", 'dialogue,turn,text\nd,0,"a"b\nd,1,b\n', "expected after"),
        ("twice.csv", "dialogue,turn,text,text\nd,0,a,b\nd,1,c,d\n", "stands twice"),
        ("ragged.csv", "dialogue,turn,text\nd,0,a\nd,1,b,c\n", "4 cells, but 3 columns"),
        ("long.csv", "dialogue,turn,text\nd,0," + "x" * (2 << 20), "a line longer than"),
        ("columns.csv", "," * (2 << 20), "a line longer than"),
        ("number.jsonl", "5\n", "no object"),
        ("list.jsonl", '["dialogue", "turn", "text"]\n', "no object"),
        ("deep.jsonl", "[" * 100_000, "recursion"),
        ("digits.jsonl", '{"dialogue": "d", "turn": ' + "9" * 5000 + ', "text": "a"}\n', "digit"),
        ("surrogate.jsonl", as_lines([*TABLE, {"dialogue": "z", "turn": 0, "text": "\ud800"}]), "surrogates"),
        ("key.jsonl", '{"dialogue": "d", "turn": 0, "text": "a", "text": "b"}\n', "a key stands twice"),
        ("kind.jsonl", as_lines([*TABLE, {"dialogue": "z", "turn": True, "text": "a"}]), "turn is True"),
        ("huge.jsonl", as_lines([*TABLE, {"dialogue": "z", "turn": 2**70, "text": "a"}]), "too big|too large"),
        ("line.jsonl", '{"dialogue": "' + "x" * (2 << 20), "a line longer than"),
        ("bytes.jsonl", b'{"dialogue": "\xff"}', "byte 0xff is not UTF-8"),
    ],
)
def test_a_damaged_table_is_refused_by_name(tmp_path: Path, name: str, content: bytes | str, problem: str) -> None:
    path = put(tmp_path / name, content)
    with pytest.raises(PipelineError, match=problem) as caught:
        list(table.read([path], SOURCE, Counter()))
    assert name in caught.value.where


SOURCE = (
    load([Layer("a.yaml", DEFAULT)])
    .sources["dailydialog"]
    .model_copy(update={"splits": {"validation": 0.3, "test": 0.3}})
)


@pytest.mark.parametrize(
    "text", [INVALID_UTF8, pa.array([["a"], ["b"]]), pa.array([{"a": 1}, {"a": 2}]), pa.array([b"\xff", b"a"])]
)
def test_a_parquet_column_that_holds_no_text_is_refused_by_name(tmp_path: Path, text: pa.Array) -> None:
    columns = {"dialogue": pa.array(["d", "d"]), "turn": pa.array([0, 1]), "text": text}
    path = put(tmp_path / "a.parquet", parquet(columns))
    with pytest.raises(PipelineError) as caught:
        list(table.read([path], SOURCE, Counter()))
    assert "a.parquet" in caught.value.where


def test_a_further_column_that_turns_from_numbers_to_text_does_no_harm(tmp_path: Path) -> None:
    rows = "".join(f"d{i},{turn},hello,{i}\n" for i in range(60_000) for turn in range(2))
    path = put(tmp_path / "a.csv", f"dialogue,turn,text,note\n{rows}e,0,hello,none\ne,1,hello,none\n")
    assert sum(batch.num_rows for batch in table.read([path], SOURCE, Counter())) == 120_002


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "dialogue,turn,text\n" + "".join(f"d,{turn},{'x' * 1000}\n" for turn in range(100))),
        ("a.jsonl", as_lines([{"dialogue": "d", "turn": turn, "text": "x" * 1000} for turn in range(100)])),
    ],
)
def test_a_batch_of_long_rows_ends_at_a_number_of_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str
) -> None:
    monkeypatch.setattr(user_tables, "_BATCH_BYTES", 10_000)
    batches = list(user_tables.read_rows(put(tmp_path / name, content), {"turn": "turn", "text": "text"}))
    assert max(batch.num_rows for batch in batches) <= 10
    assert [int(turn) for batch in batches for turn in batch.column("turn").to_pylist()] == list(range(100))


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 100])
def test_dialogues_stay_whole_wherever_a_batch_of_rows_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(user_tables, "_ROWS", rows)
    expected = {f"d{i}": [(turn, f"text {turn}") for turn in range(2 + i * i % 7)] for i in range(12)}
    written = [{"dialogue": i, "turn": turn, "text": text} for i, said in expected.items() for turn, text in said]
    path = put(tmp_path / "a.jsonl", as_lines(written))
    batches = list(table.read([path], SOURCE, Counter()))
    assert dialogues([row for batch in batches for row in batch.to_pylist()]) == expected


def test_a_table_whose_dialogue_column_never_changes_is_refused_before_it_is_all_in_memory(tmp_path: Path) -> None:
    turns = 1_000_001
    columns = {"dialogue": pa.array(["chat"] * turns), "turn": pa.array(range(turns)), "text": pa.array(["a"] * turns)}
    path = put(tmp_path / "a.parquet", parquet(columns))
    with pytest.raises(PipelineError, match="dialogue 'chat' has more than 1,000,000 turns"):
        in_time(lambda: list(table.read([path], SOURCE, Counter())))


MANY_NAMES = ",".join(f"c{i}" for i in range(100_000))


def test_a_header_of_a_hundred_thousand_names_is_checked_in_time_that_grows_with_it(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", f"dialogue,{MANY_NAMES}\nd{',' * 100_000}\n")
    found = in_time(lambda: list(user_tables.read_rows(path, {"dialogue": "dialogue"})))
    assert [batch.to_pylist() for batch in found] == [[{"dialogue": "d"}]]


def test_responses_without_sample_numbers_keep_the_order_of_the_file(tmp_path: Path) -> None:
    examples = tmp_path / "examples.parquet"
    write_parquet(examples, PAIRS, EXAMPLES)
    rows = [("how are you ?", ""), ("good night .", "eeccc g.bbg"), ("good night .", "?"), (CONTEXTS[3], "?")]
    text = io.StringIO()
    csv.writer(text).writerows([("context", "response"), *rows])
    found = external(put(tmp_path / "a.csv", text.getvalue()), examples, english)
    said = [row["response"] for row in found.to_pylist() if row["context"] == "good night ."]
    assert said == ["eeccc g.bbg", "?"]


# --- vectors, manifests --------------------------------------------------------------------------------------------


def test_a_row_too_long_does_not_make_up_for_one_too_short(tmp_path: Path) -> None:
    path = put(tmp_path / "a.txt", "hello 0.1 0.2\nother 0.1\nanother 0.1 0.2 0.3\n")
    with pytest.raises(PipelineError, match="1 numbers in the row of 'other'"):
        select_vectors(path, pa.array(WANTED))


@pytest.mark.parametrize("end", ["J", "*", "\v", "\r", " ", ""])
@pytest.mark.parametrize("rows", [("hello", "other"), ("other", "hello"), ("other", "another")])
def test_two_rows_without_a_line_end_between_them_are_not_taken_for_a_token_with_spaces(
    tmp_path: Path, end: str, rows: tuple[str, str]
) -> None:
    joined = f"{rows[0]} 0.1 0.2 0.3{end}{rows[1]} 0.4 0.5 0.6"
    path = put(tmp_path / "a.txt", f"you 1 2 3\n. . 4 5 6\n{joined}\n")
    with pytest.raises(PipelineError, match=f"numbers in the row of '{rows[0]}'") as caught:
        select_vectors(path, pa.array(WANTED))
    assert caught.value.where.endswith("line 3")


def test_a_number_in_the_middle_of_a_row_is_no_part_of_a_token_with_spaces(tmp_path: Path) -> None:
    path = put(
        tmp_path / "a.txt", "you 1 2 3\nhello 0.1 lo 0.4 0.5 0.6\n"
    )  # as when some bytes around a line end are lost
    with pytest.raises(PipelineError, match="5 numbers in the row of 'hello'"):
        select_vectors(path, pa.array(WANTED))


@pytest.mark.parametrize("token", [". .", ". . . .", "you name@domain.com", "hello 2/3", "- -"])
def test_a_token_with_spaces_is_passed_over(tmp_path: Path, token: str) -> None:
    numbers = " ".join(["0.5"] * 50)
    found = select_vectors(
        put(tmp_path / "a.txt", f"hello {numbers}\n{token} {numbers}\nyou {numbers}\n"), pa.array(WANTED)
    )
    assert found.tokens.to_pylist() == ["hello", "you"]
    assert found.rows == 3


def test_a_zip_of_vectors_that_expands_without_bound_is_refused(tmp_path: Path) -> None:
    from fuzz_strategies import zipped

    path = put(tmp_path / "a.zip", zipped({"a.txt": b"hello 0.0\n" * (2 << 20)}))
    with pytest.raises(PipelineError, match="expands to more than"):
        select_vectors(path, pa.array(WANTED))


@pytest.mark.parametrize("content", ["null", "[1]", '[{"name": "a"}]', "[" * 100_000, "9" * 5000, b"\xff"])
def test_a_damaged_manifest_is_refused_by_name(tmp_path: Path, content: bytes | str) -> None:
    path = put(tmp_path / "manifest.json", content)
    with pytest.raises(PipelineError, match="not a manifest") as caught:
        verified_files(path)
    assert caught.value.remedy


# --- configuration -------------------------------------------------------------------------------------------------


def changed(**values: Any) -> dict[str, Any]:
    return DEFAULT | values


def multiplied() -> list[Any]:
    level: list[Any] = [1]
    for _ in range(9):
        level = [level] * 10
    return level


def endless() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["again"] = value
    return value


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (multiplied, "more than 100,000 values"),
        (endless, "nested too deep"),
        (lambda: float("nan"), "type float"),
        (lambda: "\ud800", "type str"),
        (lambda: 10**30, "type int"),
        (lambda: {1: 2}, "key of type int"),
        (lambda: __import__("datetime").date(2024, 1, 1), "type date"),
    ],
)
def test_what_json_would_change_or_multiply_is_refused_before_it_is_copied(
    options: Callable[[], Any], problem: str
) -> None:
    systems = {"random": {"label": "R", "baseline": "random", "options": {"x": options()}}}
    with pytest.raises(PipelineError, match=problem):
        load([Layer("a.yaml", changed(systems=systems))])


@pytest.mark.parametrize("value", ["a: !!timestamp x", "a: !!int x", "a: !!bool x", "a: 2024-99-99", "[" * 3000])
def test_what_the_yaml_parser_stumbles_over_is_an_error_of_ours(tmp_path: Path, value: str) -> None:
    with pytest.raises(PipelineError, match="not readable as YAML") as caught:
        read_yaml(put(tmp_path / "config.yaml", value))
    assert "config.yaml" in caught.value.where


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("seeds: [1]\nresults: a\nseeds: [2]\n", 3, "'seeds' stands twice, first in line 1"),
        ("training:\n  batch_size: 1\n  batch_size: 1\n", 3, "'batch_size' stands twice, first in line 2"),
        ("network: {hidden: 1, 'hidden': 2}\n", 1, "'hidden' stands twice"),
        ("a: [{b: 1, c: {d: 1,\n d: 2}}]\n", 2, "'d' stands twice"),
        ("a: &a {b: 1}\nc:\n  <<: *a\n  <<: *a\n", 4, "'<<' stands twice"),
    ],
)
def test_a_key_that_stands_twice_in_a_section_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, key: str
) -> None:
    path = put(tmp_path / "config.yaml", text)
    with pytest.raises(PipelineError, match=f"key {key}") as caught:
        read_yaml(path)
    assert caught.value.where == f"{path}:{line}"


def test_a_key_that_replaces_a_merged_one_does_not_count_as_repeated(tmp_path: Path) -> None:
    text = "a: &a {x: 1, y: 2}\nb: &b\n  <<: *a\n  x: 3\nc:\n  <<: *b\n  y: 4\n"
    assert read_yaml(put(tmp_path / "a.yaml", text))["c"] == {"x": 3, "y": 4}


@pytest.mark.parametrize("key", ["results", "mirror"])
@pytest.mark.parametrize("value", ["-rf", "a\nb", "a\x00b", "a\x1b[2J"])
def test_a_path_that_reads_as_an_option_or_steers_a_terminal_is_refused(key: str, value: str) -> None:
    with pytest.raises(PipelineError, match=key):
        load([Layer("a.yaml", changed(**{key: value}))])


def test_a_negative_seed_is_refused_before_a_job_stumbles_over_it() -> None:
    with pytest.raises(PipelineError, match=r"ratings\.seed"):
        load([Layer("a.yaml", changed(ratings={"seed": -1}))])


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a\\b", "-x", "a\nb", "manifest.json", "{x}", ""])
def test_a_file_of_a_source_has_a_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        RemoteFile(name=name)


# --- rating sheets -------------------------------------------------------------------------------------------------


def sheet(change: Callable[[list[list[str]]], Any]) -> str:
    rows = [list(ROWS[0]), *([row[0], "anna", *row[2:-2], "1", "2"] for row in ROWS[1:])]
    change(rows)
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda rows: [row.append("fit" if row is rows[0] else "2") for row in rows], "column 'fit' stands twice"),
        (lambda rows: rows[2].insert(5, "shifted"), "9 cells, but 8 columns have a name"),
        (lambda rows: rows[2].__setitem__(4, "x" * 200_000), "field larger than field limit"),
    ],
)
def test_a_sheet_whose_answers_may_have_moved_is_refused(
    tmp_path: Path, change: Callable[[list[list[str]]], Any], problem: str
) -> None:
    csv.field_size_limit(131_072)  # as it is where no table was read before
    with pytest.raises(PipelineError, match=problem):
        read_ratings([put(tmp_path / "anna.csv", sheet(change))], [DRAW])


def test_a_sheet_with_a_hundred_thousand_further_columns_is_read_in_time_that_grows_with_it(tmp_path: Path) -> None:
    content = sheet(lambda rows: rows[0].extend(MANY_NAMES.split(",")))
    found = in_time(lambda: read_ratings([put(tmp_path / "anna.csv", content)], [DRAW]))
    assert [ratings.raters for ratings in found.values()] == [["anna"]]


def test_a_quotation_mark_without_its_partner_does_not_swallow_the_answers_after_it(tmp_path: Path) -> None:
    content = sheet(lambda rows: None).replace(",r", ',"r', 1)
    with pytest.raises(PipelineError, match="not readable as CSV"):
        read_ratings([put(tmp_path / "anna.csv", content)], [DRAW])


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key.update(items=[]),
        lambda key: key["items"][0].update(id=key["items"][1]["id"]),
        lambda key: key["items"][0]["responses"].pop(),
        lambda key: key["items"][0]["responses"][0].update(id=key["items"][0]["responses"][1]["id"]),
        lambda key: [item["responses"][0].update(system="b") for item in key["items"]],
    ],
)
def test_a_key_that_does_not_tell_all_responses_apart_is_refused(tmp_path: Path, change: Callable[[Any], Any]) -> None:
    key = DRAW.model_dump(mode="json")
    change(key)
    with pytest.raises(PipelineError, match="not a key of a rating sheet"):
        read_draw(put(tmp_path / "small.json", json.dumps(key)))


# --- messages ------------------------------------------------------------------------------------------------------


def test_a_message_is_cut_to_a_bearable_length_and_cannot_steer_the_terminal() -> None:
    shown = str(PipelineError("bad \x1b[2J\u202e\ud800" + "x" * 10_000, where="a"))
    assert shown.encode().decode() == shown
    assert r"\x1b[2J\u202e\ud800" in shown
    assert len(shown) < 5_000


def test_an_ordered_map_is_refused_rather_than_turned_into_a_list_of_pairs(tmp_path: Path) -> None:
    metrics = read_yaml(put(tmp_path / "a.yaml", "metrics: {bootstrap: !!omap [a: 1]}"))
    with pytest.raises(PipelineError, match="tuple"):
        load([Layer("a.yaml", changed(**metrics))])
