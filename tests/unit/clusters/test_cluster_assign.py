"""From examples and word vectors to the table of groups."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline_lib.clusters import assign
from pipeline_lib.config.clustering import Clustering
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet, write_parquet
from pipeline_lib.schemas.clusters import CLUSTERS
from pipeline_lib.schemas.dialogues import SPLITS
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.keywords import KEYWORDS
from pipeline_lib.vectors.glove import write_vectors
from pipeline_lib.vectors.means import MeanVectors
from pipeline_lib.vectors.space import VectorSpace

ROOT = Path(__file__).parents[3]
WORDS = [f"w{number}" for number in range(12)]
SETTINGS = Clustering(groups=3)


def write_examples(path: Path, texts: list[str], first_id: int = 0) -> Path:
    rows = range(len(texts))
    columns = [
        [first_id + row for row in rows],
        ["d"] * len(texts),
        [0] * len(texts),
        ["w0 w1" for _ in rows],
        texts,
        [None] * len(texts),
        [None] * len(texts),
    ]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, EXAMPLES, strict=True)]
    write_parquet(path, pa.table(arrays, schema=EXAMPLES), EXAMPLES)
    return path


def write_keywords(path: Path, ids: list[int], keywords: list[list[str]]) -> Path:
    table = pa.table([pa.array(ids), pa.array(keywords), pa.array(keywords)], names=KEYWORDS.names)
    write_parquet(path, table, KEYWORDS)
    return path


def cluster_examples(examples, keywords, vectors, method, settings):
    """The table that is written."""
    out = vectors.with_name("clusters.parquet")
    assign.cluster_examples(examples, keywords, vectors, method, settings, out)
    return read_parquet(out, CLUSTERS)


@pytest.fixture
def files(tmp_path):
    """Words in three bundles of four around far corners; responses drawn from one bundle each."""
    generator = np.random.default_rng(0)
    matrix = (np.repeat(10 * np.eye(3), 4, axis=0) + generator.normal(size=(12, 3))).astype(np.float32)
    write_vectors(tmp_path / "vectors.parquet", pa.array(WORDS), matrix, "made up")

    def texts(bundles):
        return [" ".join(f"w{4 * bundle + word}" for word in generator.integers(4, size=3)) for bundle in bundles]

    bundles = {"train": [1] * 30 + [0] * 50 + [2] * 20, "validation": [0, 1, 2], "test": [2, 1, 0, 0]}
    examples, first = {}, 0
    for split in SPLITS:
        examples[split] = write_examples(tmp_path / f"{split}.parquet", texts(bundles[split]), first)
        first += len(bundles[split])
    return examples, tmp_path / "vectors.parquet", bundles


def test_mean_vectors_are_the_mean_of_known_words():
    matrix = np.arange(8, dtype=np.float32).reshape(4, 2)
    vectors = VectorSpace(pa.array(["a", "b", "c", "d"]), matrix, "made up")
    first = pa.array([["skipped"], ["a", "b", "a"], ["nowhere"], []]).slice(1)
    means = MeanVectors([first, pa.array([["d", "nowhere", "c"]])], vectors)
    expected = [(2 * matrix[0] + matrix[1]) / 3, [0, 0], [0, 0], (matrix[3] + matrix[2]) / 2]
    np.testing.assert_allclose(means[:], expected, rtol=1e-6)
    np.testing.assert_array_equal(means[np.array([3, 0])], means[:][[3, 0]])
    assert means[:].dtype == np.float32
    assert (len(means), means.n_empty) == (4, 2)


@pytest.mark.parametrize("method", ["kmeans", "spectral", "agglomerative"])
@pytest.mark.parametrize("large", [False, True], ids=["exact", "large-scale"])
def test_groups_are_those_of_the_words_and_numbered_by_falling_training_size(files, method, large):
    examples, vectors, bundles = files
    settings = Clustering(groups=3, minibatch_from=60, exact_up_to=50, landmarks=20) if large else SETTINGS
    table = cluster_examples(examples, [], vectors, method, settings)
    assert table["split"].to_pylist() == [split for split in SPLITS for _ in bundles[split]]
    assert table["example_id"].to_pylist() == list(range(107))
    assert table["group"].to_pylist() == [bundle for split in SPLITS for bundle in bundles[split]]


@pytest.mark.parametrize("method", ["kmeans", "spectral", "agglomerative"])
def test_other_splits_never_influence_the_training_groups(files, method):
    examples, vectors, _ = files
    before = cluster_examples(examples, [], vectors, method, SETTINGS)
    write_examples(examples["validation"], ["w11"] * 500, 1_000)
    write_examples(examples["test"], [], 5_000)
    after = cluster_examples(examples, [], vectors, method, SETTINGS)
    assert after.slice(0, 100).equals(before.slice(0, 100))
    assert set(after["group"].slice(100).to_pylist()) == {2}


def test_pairs_without_a_known_word_are_grouped_as_zeros_and_counted(files):
    examples, vectors, _ = files
    write_examples(examples["test"], ["", "nowhere", "w0"], 900)
    table = cluster_examples(examples, [], vectors, "kmeans", SETTINGS)
    assert table.schema.metadata == {b"without_words": b"2"}


def test_side_chooses_the_text_and_keywords_replace_all_words(files, tmp_path):
    examples, vectors, bundles = files
    with pytest.raises(PipelineError, match="1 distinct"):  # all contexts are equal here
        cluster_examples(examples, [], vectors, "kmeans", Clustering(groups=3, side="context"))
    order = [split for split in SPLITS for split in bundles[split]]
    lists = [[WORDS[4 * ((bundle + 1) % 3) + row % 4]] for row, bundle in enumerate(order)]
    last_first = range(106, -1, -1)
    files_of_keywords = [
        write_keywords(tmp_path / "k1.parquet", list(last_first[:50]), [lists[row] for row in last_first[:50]]),
        write_keywords(tmp_path / "k2.parquet", list(last_first[50:]), [lists[row] for row in last_first[50:]]),
    ]
    settings = Clustering(groups=3, side="context", words="keywords")
    table = cluster_examples(examples, files_of_keywords, vectors, "kmeans", settings)
    assert table["group"].to_pylist() == order


@pytest.mark.parametrize("given", [0, 1], ids=["no file", "examples missing"])
def test_missing_keywords_name_the_first_pair(files, tmp_path, given):
    examples, vectors, _ = files
    keywords = [write_keywords(tmp_path / "k.parquet", [0, 1], [["w0"], ["w1"]])][:given]
    with pytest.raises(PipelineError, match=f"first example {2 * given}") as caught:
        cluster_examples(examples, keywords, vectors, "kmeans", Clustering(groups=3, words="keywords"))
    assert caught.value.where == str(examples["train"])
    assert caught.value.expected
    assert caught.value.remedy


@pytest.mark.parametrize("method", ["kmeans", "spectral", "agglomerative"])
@pytest.mark.parametrize("texts", [[], ["w0"] * 20 + ["w1"] * 20], ids=["no examples", "two points"])
def test_fewer_distinct_points_than_groups_is_an_error_that_says_so(files, method, texts):
    examples, vectors, _ = files
    write_examples(examples["train"], texts)
    with pytest.raises(PipelineError, match=f"{len(set(texts))} distinct .* 3 groups") as caught:
        cluster_examples(examples, [], vectors, method, SETTINGS)
    assert caught.value.where == str(examples["train"])
    assert "clustering.groups" in caught.value.remedy


@pytest.mark.parametrize("method", ["kmeans", "spectral", "agglomerative"])
def test_as_many_distinct_points_as_groups_make_one_group_each(files, method):
    examples, vectors, _ = files
    write_examples(examples["train"], ["w0"] * 5 + ["w4"] * 9 + ["w8"] * 7)
    groups = cluster_examples(examples, [], vectors, method, SETTINGS)["group"].to_pylist()
    assert groups[:21] == [2] * 5 + [0] * 9 + [1] * 7


def test_an_unknown_method_names_the_nearest(files):
    examples, vectors, _ = files
    with pytest.raises(PipelineError, match="kmean") as caught:
        cluster_examples(examples, [], vectors, "kmean", SETTINGS)
    assert "kmeans" in caught.value.expected


def test_a_file_that_holds_no_vectors_is_named(files):
    examples, _, _ = files
    with pytest.raises(PipelineError, match="not a file of word vectors") as caught:
        VectorSpace.read(examples["train"])
    assert caught.value.where == str(examples["train"])


def stage(files, out: Path) -> subprocess.CompletedProcess[str]:
    examples, vectors, _ = files
    splits = [word for split in SPLITS for word in (f"--{split}", str(examples[split]))]
    rest = ["--keywords", "--vectors", str(vectors), "--method", "kmeans", "--settings", SETTINGS.model_dump_json()]
    command = [sys.executable, str(ROOT / "workflow/scripts/cluster_examples.py"), *splits, *rest, "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_stage_writes_the_table_and_a_failing_one_leaves_it_untouched(files, tmp_path):
    out = tmp_path / "clusters.parquet"
    assert stage(files, out).returncode == 0
    before = out.read_bytes()
    assert read_parquet(out, CLUSTERS).num_rows == 107
    write_examples(files[0]["train"], ["w0"])
    failed = stage(files, out)
    assert failed.returncode == 1
    assert failed.stderr.startswith("Error: 1 training examples")
    assert out.read_bytes() == before


def test_importing_the_stage_is_quick_and_loads_no_heavy_library():
    heavy = "{'torch', 'sklearn', 'scipy', 'pandas', 'nltk'} & set(sys.modules)"
    code = f"import sys, pipeline_lib.clusters.assign; assert not {heavy}, {heavy}"
    subprocess.run([sys.executable, "-c", code], check=True)
