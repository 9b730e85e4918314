"""Rows of one speaker that follow one another, as one turn."""

from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from pipeline_lib.config.corpora import Source
from pipeline_lib.config.loading import read_yaml
from pipeline_lib.corpora import speakers, table
from pipeline_lib.corpora.readers import read_dialogues
from pipeline_lib.schemas.dialogues import DIALOGUES

ROOT = Path(__file__).parents[3]
FIELDS = {"reader": "table", "label": "Mine", "licence": "none", "bundles": [[{"name": "mine.csv"}]]}


def rows_of(*turns: tuple[str, int, str | None, str]) -> pa.RecordBatch:
    rows = [
        {"dialogue_id": dialogue, "turn": turn, "speaker": speaker, "text": text, "split": "train", "label": None}
        for dialogue, turn, speaker, text in turns
    ]
    return pa.RecordBatch.from_pylist(rows, DIALOGUES)


def found(batch: pa.RecordBatch) -> list[tuple[Any, ...]]:
    [result] = speakers.joined(iter([batch]), Counter())
    assert result.schema == DIALOGUES
    return [(row["dialogue_id"], row["turn"], row["speaker"], row["text"]) for row in result.to_pylist()]


def test_neighbouring_rows_of_one_speaker_are_one_turn_and_later_ones_are_renumbered():
    batch = rows_of(
        ("a", 0, "Ann", "one"),
        ("a", 1, "Ann", "two"),
        ("a", 2, "Ben", "three"),
        ("a", 3, "Ann", "four"),
        ("b", 0, "Ann", "five"),
        ("b", 1, "Ann", "six"),
        ("b", 2, "Ann", "seven"),
        ("b", 3, "Ben", "eight"),
    )
    assert found(batch) == [
        ("a", 0, "Ann", "one two"),
        ("a", 1, "Ben", "three"),
        ("a", 2, "Ann", "four"),
        ("b", 0, "Ann", "five six seven"),
        ("b", 1, "Ben", "eight"),
    ]


def test_rows_without_a_speaker_and_rows_around_a_gap_stay_apart():
    batch = rows_of(
        ("a", 0, None, "one"),
        ("a", 1, None, "two"),
        ("a", 2, "Ann", "three"),
        ("a", 4, "Ann", "four"),
        ("a", 5, "Ann", "five"),
    )
    assert found(batch) == [
        ("a", 0, None, "one"),
        ("a", 1, None, "two"),
        ("a", 2, "Ann", "three"),
        ("a", 4, "Ann", "four five"),
    ]


def test_random_dialogues_are_joined_as_a_loop_would_join_them():
    rng = np.random.default_rng(1)
    sizes = rng.integers(1, 9, 60)
    names = rng.choice(["Ann", "Ben", "Cy"], int(sizes.sum())).tolist()
    places = [(f"d{dialogue}", turn) for dialogue, size in enumerate(sizes) for turn in range(size)]
    batch = rows_of(*((*place, name, f"t{i}") for i, (place, name) in enumerate(zip(places, names, strict=True))))
    expected = []
    for dialogue, rows in groupby(batch.to_pylist(), lambda row: row["dialogue_id"]):
        for turn, (speaker, own) in enumerate(groupby(rows, lambda row: row["speaker"])):
            expected.append((dialogue, turn, speaker, " ".join(row["text"] for row in own)))
    assert found(batch) == expected


def test_nothing_is_joined_in_a_batch_of_no_rows():
    assert found(rows_of()) == []


def test_an_empty_cell_names_no_speaker_so_that_its_rows_are_nobodys_and_stay_apart(tmp_path):
    named = {"dialogue": "dialogue", "text": "text", "speaker": "who", "turn": None}
    source = Source(**FIELDS, columns=named)
    for name, separator in (("a.csv", ","), ("a.tsv", "\t")):
        cells = [("dialogue", "who", "text"), ("d", "ann", "one"), ("d", "", "two"), ("d", " ", "three")]
        (tmp_path / name).write_text("".join(separator.join(row) + "\n" for row in cells))
        rows = pa.Table.from_batches(speakers.joined(table.read([tmp_path / name], source, Counter()), Counter()))
        assert rows["speaker"].to_pylist() == ["ann", None, None]
        assert rows["text"].to_pylist() == ["one", "two", "three"]


def test_a_source_that_names_no_speakers_cannot_join_their_rows():
    with pytest.raises(ValidationError, match="needs a table with `columns"):
        Source(**FIELDS, same_speaker="join")
    named = {"dialogue": "dialogue", "text": "text", "speaker": "who"}
    assert Source(**FIELDS, same_speaker="join", columns=named).content().same_speaker == "join"


def test_what_tables_call_a_corpus_is_no_part_of_its_content():
    plain = Source(**FIELDS)
    assert plain.model_copy(update={"stands_for": "Weibo", "label": "Another"}).content() == plain.content()
    assert plain.model_copy(update={"split_seed": 9}).files() == plain.files()


def test_the_scripts_of_the_catalogue_have_as_many_turns_as_counted_for_them(real_data, tmp_path):
    """72,187 turns of 4,055 speakers in 267 episodes, of 73,139 lines."""
    path = real_data("southpark/southpark_lines.csv.gz")
    source = Source(**read_yaml(ROOT / "config/corpora.yaml")["southpark"])
    skipped: Counter[str] = Counter()
    rows = pa.Table.from_batches(speakers.joined(table.read([path], source, skipped), skipped))
    assert source.same_speaker == "join"
    assert (len(rows), len(rows["dialogue_id"].unique()), len(rows["speaker"].unique())) == (72_187, 267, 4_055)
    assert skipped[speakers.JOINED] == 73_139 - 72_187


def test_dialogues_are_read_with_their_rows_joined_where_the_source_asks_for_it(tmp_path, monkeypatch):
    batch = rows_of(("a", 0, "Ann", "one"), ("a", 1, "Ann", "two"), ("a", 2, "Ben", "three"))
    monkeypatch.setattr(table, "read", lambda files, source, skipped: iter([batch]))
    monkeypatch.setattr("pipeline_lib.corpora.readers._check_splits", lambda *given: None)
    named = {"dialogue": "dialogue", "text": "text", "speaker": "who"}
    lengths = {
        how: sum(len(each) for each in read_dialogues(Source(**FIELDS, same_speaker=how, columns=named)))
        for how in ("keep", "join")
    }
    assert lengths == {"keep": 3, "join": 2}
