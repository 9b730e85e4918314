"""Users by number, and floors of contexts, against dialogues written by hand."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline_lib.config.corpora import Window
from pipeline_lib.config.users import Users
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.dataset import joined
from pipeline_lib.examples.users import list_users
from pipeline_lib.examples.windows import extract_examples
from pipeline_lib.files.formats import read_parquet, write_parquet
from pipeline_lib.schemas.dialogues import DIALOGUES, SPLITS
from pipeline_lib.schemas.users import users_schema
from pipeline_lib.text.tokenisers.spaces import tokenise_array


def dialogue(name: str, split: str, speakers: list[str | None]) -> list[dict[str, Any]]:
    return [
        {"dialogue_id": name, "turn": turn, "speaker": who, "text": f"w{turn}", "split": split, "label": None}
        for turn, who in enumerate(speakers)
    ]


def listed(folder: Path, rows: list[dict[str, Any]], settings: Users, turns: int = 2) -> pa.Table:
    write_parquet(folder / "dialogues.parquet", pa.Table.from_pylist(rows, schema=DIALOGUES), DIALOGUES)
    examples = {split: folder / f"{split}.parquet" for split in SPLITS}
    window = Window(context=turns)
    extract_examples(folder / "dialogues.parquet", window, tokenise_array, examples, folder / "tokens.parquet")
    return list_users(folder / "dialogues.parquet", examples, turns, settings)


HELD_OUT = [*dialogue("v", "validation", ["ann", "bob", "eve"]), *dialogue("t", "test", ["eve", "bob", "ann"])]


def test_a_user_with_14_training_utterances_is_unknown_and_one_with_15_is_known(tmp_path: Path) -> None:
    # 29 turns: ann speaks 15 times, bob 14 times; what they say when held out does not count
    rows = dialogue("d", "train", ["ann", "bob"] * 14 + ["ann"]) + HELD_OUT
    users = listed(tmp_path, rows, Users(least=15))
    by_user = dict.fromkeys(users["user"].to_pylist()[:27])
    assert set(by_user) == {0, 1}
    assert users["user"].to_pylist()[27:] == [0, 1]  # eve, ann
    assert set(listed(tmp_path, rows, Users(least=14))["user"].to_pylist()) == {0, 1, 2}


def test_the_most_active_users_are_numbered_first_and_at_most_so_many(tmp_path: Path) -> None:
    rows = dialogue("d", "train", ["bob", "bob", "bob", "ann", "eve", "eve"]) + HELD_OUT
    users = listed(tmp_path, rows, Users(least=1, count=2))
    assert users["user"].to_pylist() == [1, 0, 2, 2, 2, 0]  # responses by bob, ann, eve, eve; eve; ann


def test_floors_mark_the_turns_of_the_one_who_responds(tmp_path: Path) -> None:
    rows = dialogue("d", "train", ["ann", "bob", "ann", "ann", None]) + HELD_OUT
    users = listed(tmp_path, rows, Users(least=1))
    assert users["floors"].to_pylist() == [[1, 0], [0, 1], [0, 0], [0, 0], [0, 0]]
    write_parquet(tmp_path / "users.parquet", users, users_schema(2))
    ids = read_parquet(tmp_path / "users.parquet")["example_id"].to_numpy()
    assert joined(ids[::-1], tmp_path / "users.parquet", "floors").tolist() == users["floors"].to_pylist()[::-1]


def test_a_dialogue_with_one_speaker_is_read_like_any_other(tmp_path: Path) -> None:
    users = listed(tmp_path, dialogue("d", "train", ["ann"] * 4) + HELD_OUT, Users(least=4))
    assert users["user"].to_pylist()[:2] == [1, 1]
    assert users["floors"].to_pylist()[:2] == [[1, 1], [1, 1]]


def test_a_corpus_without_speakers_or_without_known_users_is_an_error(tmp_path: Path) -> None:
    nobody = [row | {"speaker": None} for row in dialogue("d", "train", ["ann"] * 4) + HELD_OUT]
    with pytest.raises(PipelineError, match="no utterance has a speaker"):
        listed(tmp_path, nobody, Users())
    with pytest.raises(PipelineError, match="no user has 15 training utterances"):
        listed(tmp_path, dialogue("d", "train", ["ann"] * 14) + HELD_OUT, Users())
