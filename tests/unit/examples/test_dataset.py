"""Batches and their order."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline_lib.errors import PipelineError
from pipeline_lib.examples import encoded, order
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.examples.encoded import encode_examples
from pipeline_lib.examples.order import BatchOrder
from pipeline_lib.files.atomic import atomic
from pipeline_lib.files.formats import iter_parquet, read_parquet, write_parquet
from pipeline_lib.schemas.clusters import CLUSTERS
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.vocabulary import vocabulary_schema
from pipeline_lib.text.ids import Ids
from pipeline_lib.text.words import Words
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


def opened(folder, side_table=True):
    """The examples, encoded and mapped."""
    encode_examples(folder / "examples.parquet", Words.read(folder / "words.parquet"), folder / "train.arrow")
    return ExampleDataset.open(folder / "train.arrow", {"group": folder / "clusters.parquet"} if side_table else {})


def test_a_batch_holds_ids_padding_start_end_and_clusters_as_documented(files):
    batch = opened(files).batch(np.array([0, 1]))
    assert batch.context.ids.tolist() == [[4, 5, 6], [6, 0, 0]]
    assert batch.response.inputs.tolist() == [[Ids().start, 5, 0], [Ids().start, 4, 1]]
    assert batch.response.targets.tolist() == [[5, Ids().end, 0], [4, 1, Ids().end]]
    assert batch.response.lengths.tolist() == [2, 3]
    assert batch.response.words.ids.tolist() == [[5, 0], [4, 1]]
    assert batch.response.words.lengths.tolist() == [1, 2]
    assert batch.group.tolist() == [2, 5]


def test_an_encoded_file_holds_the_ids_of_every_text_wherever_batches_end(files, monkeypatch):
    generator = np.random.default_rng(2)
    colours = np.array(["red", "green", "blue", "mauve", "<turn>"])
    said = [[" ".join(generator.choice(colours, size)) for size in generator.integers(0, 6, 50)] for _ in range(2)]
    columns = {"example_id": range(50), "dialogue_id": ["d"] * 50, "turn": [0] * 50, "context": said[0]}
    table = pa.table(columns | {"response": said[1], "user": [None] * 50, "label": [None] * 50})
    write_parquet(files / "examples.parquet", table, EXAMPLES)
    monkeypatch.setattr(encoded, "iter_parquet", lambda *a: iter_parquet(*a, batch_size=7))
    dataset = opened(files, side_table=False)
    ids = {"red": 4, "green": 5, "blue": 6}
    for texts, found in zip(said, (dataset.context, dataset.response), strict=True):
        assert found.ids.dtype == np.int32
        for n, text in enumerate(texts):
            expected = [ids.get(word, 1) for word in text.split()]
            assert found.ids[found.offsets[n] : found.offsets[n + 1]].tolist() == expected
    assert [path.name for path in files.glob(".*.parts")] == []


def test_sentences_alone_have_no_context_in_a_batch(files):
    table = read_parquet(files / "examples.parquet")
    write_parquet(files / "examples.parquet", table.set_column(3, "context", pa.array(["", ""])), EXAMPLES)
    batch = opened(files, side_table=False).batch(np.array([0, 1]))
    assert batch.context is None
    assert batch.response.lengths.tolist() == [2, 3]
    assert batch.group is None


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


def side_table(folder, **columns):
    path = folder / "clusters.parquet"
    table = pa.table(columns)
    write_parquet(path, table, table.schema)


@pytest.mark.parametrize("kind", [pa.int8(), pa.int16(), pa.int64()])
def test_a_side_table_is_joined_by_example_whatever_its_order_and_its_further_rows(files, kind):
    values = pa.array([30, 70, 99], kind)
    side_table(files, example_id=[3, 7, 12], group=values, note=["a", "b", "c"])
    dataset = opened(files)
    assert dataset.beside["group"].tolist() == [70, 30]  # examples 7 and 3
    assert dataset.batch(np.array([1, 0])).group.tolist() == [30, 70]


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"example_id": [3], "group": [5]}, "some examples have no group"),
        ({"example_id": pa.array([], pa.int64()), "group": pa.array([], pa.int64())}, "some examples have no group"),
        ({"example_id": [3, 7], "user": [1, 2]}, "no column 'group' of whole numbers"),
        ({"group": [1, 2]}, "no column 'group' of whole numbers"),
        ({"example_id": [3, 7], "group": ["a", "b"]}, "no column 'group' of whole numbers"),
        ({"example_id": [3, 7], "group": [1, None]}, "no column 'group' of whole numbers"),
    ],
)
def test_a_side_table_that_does_not_tell_the_field_of_each_example_is_an_error_that_names_it(files, columns, problem):
    side_table(files, **columns)
    with pytest.raises(PipelineError, match=problem) as error:
        opened(files)
    assert "clusters.parquet" in str(error.value)
    assert error.value.expected


def test_an_empty_split_is_an_error_that_names_the_file(files):
    write_parquet(files / "examples.parquet", EXAMPLES.empty_table(), EXAMPLES)
    with pytest.raises(PipelineError, match="no examples") as error:
        opened(files, side_table=False)
    assert "train.arrow" in str(error.value)


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
        lengths = [dataset.response.lengths_of(order.rows(step)) for step in range(order.steps_per_epoch)]
        return sum(int((rows.max() - rows).sum()) for rows in lengths)

    assert padding(25) < padding(1) / 2


def test_evaluation_order_covers_the_first_pairs_once():
    rows = np.concatenate(list(make_dataset(50).by_length(8, limit=30)))
    assert sorted(rows) == list(range(30))
