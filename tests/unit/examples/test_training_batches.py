"""Batches and their order."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline_lib.errors import PipelineError
from pipeline_lib.examples import order
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.examples.encoded import encode_examples
from pipeline_lib.examples.order import BatchOrder
from pipeline_lib.files.atomic import atomic
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.clusters import CLUSTERS
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.vocabulary import vocabulary_schema
from pipeline_lib.text.ids import Ids
from pipeline_lib.text.units import Words
from unit.model_fixtures import make_dataset


@pytest.fixture
def files(tmp_path):
    """Two examples, their vocabulary and clusters on disk."""
    tokens = ["<pad>", "<unk>", "<s>", "</s>", "red", "green", "blue"]
    words = {"token_id": range(7), "token": tokens, "count": [1] * 7, "known": [True] * 7, "vector": [[0.0, 1.0]] * 7}
    examples = {
        "example_id": [7, 3],
        "dialogue_id": ["a", "b"],
        "turn": [0, 0],
        "context": ["red green blue", "blue"],
        "response": ["green", "red mauve"],
        "user": [None, None],
        "label": [None, None],
    }
    clusters = {"split": ["train", "train"], "example_id": [3, 7], "group": [5, 2]}
    write_parquet(tmp_path / "words.parquet", pa.table(words), vocabulary_schema(2))
    write_parquet(tmp_path / "examples.parquet", pa.table(examples), EXAMPLES)
    write_parquet(tmp_path / "clusters.parquet", pa.table(clusters), CLUSTERS)
    return tmp_path


def test_a_batch_holds_ids_padding_start_end_and_clusters_as_documented(files):
    vocabulary = Words.read(files / "words.parquet")
    dataset = ExampleDataset.read(files / "examples.parquet", vocabulary, files / "clusters.parquet")
    batch = dataset.batch(np.array([0, 1]))
    assert batch.context.ids.tolist() == [[4, 5, 6], [6, 0, 0]]
    assert batch.response.inputs.tolist() == [[Ids().start, 5, 0], [Ids().start, 4, 1]]
    assert batch.response.targets.tolist() == [[5, Ids().end, 0], [4, 1, Ids().end]]
    assert batch.response.lengths.tolist() == [2, 3]
    assert batch.response.words.ids.tolist() == [[5, 0], [4, 1]]
    assert batch.response.words.lengths.tolist() == [1, 2]
    assert batch.group.tolist() == [2, 5]


def tensors(batch):
    """All tensors of a batch."""
    parts = [batch.response, batch.context]
    return [value for part in parts for value in vars(part).values()] + [batch.group]


def test_an_encoded_file_gives_the_batches_that_the_pairs_give(files):
    vocabulary = Words.read(files / "words.parquet")
    encode_examples(files / "examples.parquet", vocabulary, files / "train.arrow")
    read = ExampleDataset.read(files / "examples.parquet", vocabulary, files / "clusters.parquet")
    mapped = ExampleDataset.open(files / "train.arrow", files / "clusters.parquet")
    for rows in ([0, 1], [1], [1, 0]):
        for one, other in zip(tensors(read.batch(np.array(rows))), tensors(mapped.batch(np.array(rows))), strict=True):
            assert torch.equal(one, other)
    assert [path.name for path in files.glob(".*.parts")] == []


@pytest.mark.parametrize("damage", ["cut off", "a bit flipped", "empty", "of another schema"])
def test_a_damaged_encoded_file_is_an_error_that_names_it(files, damage):
    path = files / "train.arrow"
    encode_examples(files / "examples.parquet", Words.read(files / "words.parquet"), path)
    content = bytearray(path.read_bytes())
    if damage == "of another schema":
        table = pa.table({"example_id": [1]})
        with atomic(path) as temporary, pa.ipc.new_file(temporary, table.schema) as writer:
            writer.write_table(table)
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes({"cut off": content[:-100], "a bit flipped": content, "empty": b""}[damage])
    with pytest.raises(PipelineError) as error:
        ExampleDataset.open(path)
    assert "train.arrow" in str(error.value)


def test_pairs_without_a_cluster_are_an_error_that_names_the_file(files):
    short = {"split": ["train"], "example_id": [3], "group": [5]}
    write_parquet(files / "clusters.parquet", pa.table(short), CLUSTERS)
    with pytest.raises(PipelineError, match="no cluster") as error:
        ExampleDataset.read(files / "examples.parquet", Words.read(files / "words.parquet"), files / "clusters.parquet")
    assert "clusters.parquet" in str(error.value)


def test_an_empty_split_is_an_error_that_names_the_file(files):
    write_parquet(files / "examples.parquet", EXAMPLES.empty_table(), EXAMPLES)
    with pytest.raises(PipelineError, match="no examples"):
        ExampleDataset.read(files / "examples.parquet", Words.read(files / "words.parquet"))


def test_every_epoch_shows_every_pair_once_and_epochs_differ():
    order = BatchOrder(make_dataset(103), batch_size=8, bucket_batches=3, seed=1)
    assert order.steps_per_epoch == 13
    epochs = [np.concatenate([order.rows(epoch * 13 + i) for i in range(13)]) for epoch in range(2)]
    assert all(sorted(rows) == list(range(103)) for rows in epochs)
    assert not np.array_equal(*epochs)


@pytest.fixture
def small_windows(monkeypatch):
    """Ten thousand examples fill many windows of many blocks."""
    monkeypatch.setattr(order, "WINDOW", 1_000)
    monkeypatch.setattr(order, "BLOCK", 16)


@pytest.mark.usefixtures("small_windows")
def test_a_split_of_many_windows_is_shown_once_an_epoch_and_resumes_at_any_step():
    dataset = make_dataset(10_001)
    order = BatchOrder(dataset, 8, 3, seed=1)
    steps = order.steps_per_epoch
    for epoch in range(2):
        rows = [order.rows(epoch * steps + i) for i in range(steps)]
        assert sorted(np.concatenate(rows)) == list(range(10_001))
        assert sorted({len(each) for each in rows}) == [1, 8]
        for step in (0, 700, steps - 1):
            assert np.array_equal(BatchOrder(dataset, 8, 3, seed=1).rows(epoch * steps + step), rows[step])


@pytest.mark.usefixtures("small_windows")
def test_a_window_reads_few_places_of_the_file_and_mixes_all_of_them():
    order = BatchOrder(make_dataset(10_001), 8, 3, seed=1)
    window = 1_000 // 24 * 24  # whole stretches
    rows = np.concatenate([order.rows(step) for step in range(window // 8)])
    blocks = np.unique(rows // 16)
    assert len(blocks) <= window // 16 + 2  # whole blocks, but for the first and the last
    assert blocks.max() - blocks.min() > 400  # from all over the file, whose blocks are 626
    by_batch = [len(np.unique(order.rows(step) // 16)) for step in range(window // 8)]
    assert np.mean(by_batch) > 7  # of 8 examples, seldom two are neighbours


def test_a_steps_batch_depends_on_seed_and_step_alone():
    dataset = make_dataset(103)
    straight = BatchOrder(dataset, 8, 3, seed=1)
    visited = [straight.rows(step) for step in range(30)]
    for step in (29, 0, 14):  # a fresh object, any order
        assert np.array_equal(BatchOrder(dataset, 8, 3, seed=1).rows(step), visited[step])
    assert not np.array_equal(BatchOrder(dataset, 8, 3, seed=2).rows(0), visited[0])


def test_bucketing_leaves_less_than_half_of_the_padding():
    dataset = make_dataset(1_000, longest=25)

    def padding(stretch: int) -> int:
        order = BatchOrder(dataset, 20, stretch, seed=1)
        lengths = [dataset.response.lengths(order.rows(step)) for step in range(order.steps_per_epoch)]
        return sum(int((rows.max() - rows).sum()) for rows in lengths)

    assert padding(25) < padding(1) / 2


def test_evaluation_order_covers_the_first_pairs_once():
    rows = np.concatenate(list(make_dataset(50).by_length(8, limit=30)))
    assert sorted(rows) == list(range(30))
