"""Users by number, and floors of contexts, against dialogues written by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline_lib.config.corpora import Division, Window
from pipeline_lib.config.users import Users
from pipeline_lib.corpora.division import divided
from pipeline_lib.corpora.pairs import DIFFERENT
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.users import best_words, list_users, select_unknown
from pipeline_lib.examples.windows import extract_examples
from pipeline_lib.files.formats import read_parquet, write_parquet
from pipeline_lib.files.side_tables import joined
from pipeline_lib.schemas.dialogues import DIALOGUES, SPLITS
from pipeline_lib.schemas.users import users_schema
from pipeline_lib.text.ids import SPECIALS
from pipeline_lib.text.ragged import Ragged
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


def test_the_speakers_of_a_context_are_numbered_as_those_who_respond_are(tmp_path: Path) -> None:
    # ann and bob speak thrice in training, eve once: too little to be known; one turn has no speaker
    rows = dialogue("d", "train", ["ann", "bob", "ann", "eve", "bob", "ann", None, "bob"])
    users = listed(tmp_path, rows + HELD_OUT, Users(least=2))
    assert users["speakers"].to_pylist() == [[1, 2], [2, 1], [1, 0], [0, 2], [2, 1], [1, 0], [1, 2], [0, 2]]
    assert users["user"].to_pylist() == [1, 0, 2, 1, 0, 2, 0, 1]


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


def test_texts_labelled_as_different_are_said_by_no_user(tmp_path: Path) -> None:
    pairs = [row | {"speaker": None} for row in dialogue("d", "train", ["ann"] * 4) + HELD_OUT]
    labelled = {"dialogue_id": "n", "turn": 3, "speaker": DIFFERENT, "text": "n", "split": "train", "label": None}
    with pytest.raises(PipelineError, match="no utterance has a speaker"):
        listed(tmp_path, [*pairs, *(labelled | {"dialogue_id": f"n{n}"} for n in range(20))], Users())


def test_the_part_of_unknown_users_has_their_examples_and_where_there_are_none_says_so(tmp_path: Path) -> None:
    rows = dialogue("d", "train", ["ann", "bob"] * 14 + ["ann"]) + HELD_OUT
    users = listed(tmp_path, rows, Users(least=15))
    write_parquet(tmp_path / "users.parquet", users, users_schema(2))
    select_unknown(tmp_path / "validation.parquet", tmp_path / "users.parquet", tmp_path / "part.parquet")
    assert read_parquet(tmp_path / "part.parquet")["user"].to_pylist() == ["eve"]
    with pytest.raises(PipelineError, match="every responder is a known user") as caught:
        select_unknown(tmp_path / "test.parquet", tmp_path / "users.parquet", tmp_path / "part.parquet")
    assert "unknown_users" in caught.value.remedy


def test_the_words_of_a_user_have_the_greatest_tf_idf_counted_by_hand() -> None:
    # ids 4 to 8; user 1 says 4 4 5 6, user 2 says 5 7 7 7, user 3 says 5 8; nobody knows who says 6 6 6
    said = [([4, 4, 5], 1), ([6], 1), ([5, 7, 7, 7], 2), ([5, 8], 3), ([6, 6, 6], 0)]
    texts = Ragged.of_lengths(np.concatenate([ids for ids, _ in said]), np.array([len(ids) for ids, _ in said]))
    best = best_words(texts, np.array([user for _, user in said]), users=3, words=30, pad=0)
    assert [row[row > 0].tolist() for row in best] == [[], [4, 6], [7], [8]]  # 5, which all say, tells nobody
    assert best.shape == (4, 20)


def test_the_words_of_many_users_are_those_of_a_whole_matrix_of_counts() -> None:
    rng = np.random.default_rng(1)
    lengths, speaker = rng.integers(1, 30, 400), rng.integers(0, 13, 400)
    texts = Ragged.of_lengths(rng.zipf(1.3, lengths.sum()) % 90, lengths)
    counts = np.zeros((13, 90))
    for text, token in zip(texts.text, texts.ids, strict=True):
        counts[speaker[text], token] += speaker[text] > 0 and token >= len(SPECIALS)
    scores = counts * np.log(12 / np.maximum((counts > 0).sum(0), 1))
    order = np.argsort(-scores, axis=1, kind="stable")[:, :20]
    expected = np.where(np.take_along_axis(scores, order, 1) > 0, order, 0)
    assert np.array_equal(best_words(texts, speaker, users=12, words=90, pad=0), expected)


def test_windows_that_are_divided_one_by_one_leak_what_brute_force_counts(tmp_path: Path) -> None:
    rows = [row for i in range(30) for row in dialogue(f"d{i}", "train", ["ann", "bob"] * 6)]
    write_parquet(tmp_path / "dialogues.parquet", pa.Table.from_pylist(rows, schema=DIALOGUES), DIALOGUES)
    outputs, tokens = {split: tmp_path / f"{split}.parquet" for split in SPLITS}, tmp_path / "tokens.parquet"
    division = Division(validation=0.1, test=0.1, seed=1)
    window = Window(context=2, split="window")
    counts = extract_examples(tmp_path / "dialogues.parquet", window, tokenise_array, outputs, tokens, division)
    found = {split: read_parquet(path).to_pylist() for split, path in outputs.items()}
    contexts = {(row["dialogue_id"], row["turn"] + i) for row in found["train"] for i in (0, 1)}
    for split in ("validation", "test"):
        leaked = [row for row in found[split] if (row["dialogue_id"], row["turn"] + 2) in contexts]
        assert counts[split]["leaked"] == len(leaked) > 0.7 * len(found[split]) > 0
    assert sum(map(len, found.values())) == 30 * 10
    assert 0.03 < len(found["test"]) / 300 < 0.2


def test_dialogues_that_are_not_divided_leak_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        listed(tmp_path, dialogue("d", "train", ["ann"] * 20) + HELD_OUT, Users())
    assert "part of a training context: 0" in caplog.text


@pytest.mark.parametrize("every", ["utterance", "document"])
def test_turns_of_training_windows_are_of_training_where_windows_are_divided_one_by_one(
    tmp_path: Path, every: str
) -> None:
    rows = [row for i in range(9) for row in dialogue(f"d{i}", "validation", ["ann", "bob"] * 4 + ["ann"])]
    rows[20]["turn"] = 30  # a gap, over which no window reaches
    rows += dialogue("short", "test", ["ann", "bob"])
    window, division = Window(context=2, split="window", every=every), Division(validation=0.3, test=0.3, seed=1)
    batches = [pa.RecordBatch.from_pylist(part, schema=DIALOGUES) for part in (rows[:27], rows[27:])]
    table = pa.Table.from_batches(divided(iter(batches), window, division))
    write_parquet(tmp_path / "dialogues.parquet", table, DIALOGUES)
    outputs, tokens = {split: tmp_path / f"{split}.parquet" for split in SPLITS}, tmp_path / "tokens.parquet"
    extract_examples(tmp_path / "dialogues.parquet", window, tokenise_array, outputs, tokens, division)
    places = {
        split: {(row["dialogue_id"], row["turn"] + i) for row in read_parquet(path).to_pylist() for i in range(3)}
        for split, path in outputs.items()
    }
    split_of = {(row["dialogue_id"], row["turn"]): row["split"] for row in table.to_pylist()}
    assert {place for place, split in split_of.items() if split == "train"} == places["train"]
    assert {split for place, split in split_of.items() if place[0] == "short"} == {"test"}
    assert places["validation"] - places["train"]
    counted = {row["token"]: row["train_count"] for row in read_parquet(tokens).to_pylist()}
    assert sum(counted.values()) == len(places["train"])
    assert all(counted[f"w{turn}"] > 0 for _, turn in places["train"] if turn != 30)
