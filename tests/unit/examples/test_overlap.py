"""Held-out examples that training has: counted as brute force does, of pairs and of contexts."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.counting import REASONS, count_paths, count_splits
from pipeline_lib.examples.overlap import count_overlap, select_unseen, training_texts
from pipeline_lib.files.formats import read_parquet, write_parquet
from pipeline_lib.schemas.dialogues import SPLITS
from pipeline_lib.schemas.examples import EXAMPLES

Pairs = Sequence[tuple[str, str]]
PAIRS = st.lists(st.tuples(st.sampled_from(["", "a", "b", "c ’"]), st.sampled_from("axyz")), max_size=12)


def write(path: Path, pairs: Pairs) -> Path:
    rows = [
        {"example_id": i, "dialogue_id": "d", "turn": i, "context": context, "response": response}
        for i, (context, response) in enumerate(pairs)
    ]
    write_parquet(path, pa.Table.from_pylist(rows, EXAMPLES), EXAMPLES)
    return path


@settings(max_examples=40, deadline=None)
@given(PAIRS, PAIRS)
def test_the_overlap_with_training_is_that_of_brute_force(
    tmp_path_factory: pytest.TempPathFactory, train: Pairs, test: Pairs
) -> None:
    folder = tmp_path_factory.mktemp("overlap")
    contexts = {context for context, _ in train}
    with training_texts(write(folder / "train.parquet", train), folder / "scratch") as texts:
        found = count_overlap(write(folder / "test.parquet", test), texts)
    assert found.pairs_in_training == sum(pair in train for pair in test)
    assert found.contexts_in_training == sum(
        pair[0] in contexts if pair[0] else pair in train  # a sentence alone has no context that could be known
        for pair in test
    )
    assert not (folder / "scratch").exists()


def test_the_counts_of_a_corpus_have_every_place_that_a_table_may_name(tmp_path: Path) -> None:
    pairs = {"train": [("a", "x"), ("a", "y")], "validation": [("a", "x"), ("a", "z")], "test": [("b", "x")]}
    files = {split: write(tmp_path / f"{split}.parquet", own) for split, own in pairs.items()}
    report = {split: dict.fromkeys(REASONS, 0) | {"unseen_token": 3, "empty": 2, "read": 9} for split in SPLITS}
    found = count_splits(files, report, tmp_path / "scratch")
    assert (found["validation"]["pairs_in_training"], found["validation"]["contexts_in_training"]) == (1, 2)
    assert (found["test"]["pairs_in_training"], found["test"]["contexts_in_training"]) == (0, 0)
    assert found["test"]["dropped"] == dict.fromkeys(REASONS, 0) | {"unseen_token": 3, "empty": 2}
    assert "pairs_in_training" not in found["train"]
    places = {
        f"{split}.{name}"
        for split, own in found.items()
        for name in [*(own.keys() - {"dropped"}), *(f"dropped.{rule}" for rule in own["dropped"])]
    }
    assert places == set(count_paths()) - {"vocabulary"}


@settings(max_examples=30, deadline=None)
@given(PAIRS, PAIRS)
def test_the_part_of_a_split_that_training_lacks_is_that_of_brute_force(
    tmp_path_factory: pytest.TempPathFactory, train: Pairs, test: Pairs
) -> None:
    folder = tmp_path_factory.mktemp("part")
    given_files = write(folder / "test.parquet", test), write(folder / "train.parquet", train)
    contexts = {context for context, _ in train}
    expected = {
        "unseen_pairs": [pair for pair in test if pair not in train],
        "unseen_contexts": [pair for pair in test if (pair[0] not in contexts if pair[0] else pair not in train)],
    }
    for part, unseen in expected.items():
        out = folder / f"{part}.parquet"
        if not unseen:
            with pytest.raises(PipelineError, match="every example is in training"):
                select_unseen(*given_files, part, out)
            assert not out.exists()
            continue
        select_unseen(*given_files, part, out)
        kept = read_parquet(out, EXAMPLES)
        assert list(zip(kept["context"].to_pylist(), kept["response"].to_pylist(), strict=True)) == unseen


def test_training_examples_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "train.parquet", [("a", "b")])
    path.write_bytes(path.read_bytes()[:-9])
    with (
        pytest.raises(PipelineError, match=r"train\.parquet"),
        training_texts(path, tmp_path / "scratch"),
    ):
        pass
    assert not (tmp_path / "scratch").exists()
