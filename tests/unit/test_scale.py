"""Stages before training in bounded memory: exact when they spill, and no larger on more examples."""

import signal
import subprocess
import sys
import tempfile
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline_lib.clusters import assign
from pipeline_lib.clusters.assign import cluster_examples
from pipeline_lib.config.clustering import Clustering
from pipeline_lib.config.corpora import Window
from pipeline_lib.config.filtering import Filtering
from pipeline_lib.config.keywords import Keywords
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples import counting, database, filtering, windows
from pipeline_lib.examples.filtering import filter_examples, known_tokens
from pipeline_lib.examples.windows import extract_examples
from pipeline_lib.files import scratch
from pipeline_lib.files.formats import iter_parquet, write_parquet
from pipeline_lib.schemas.dialogues import DIALOGUES, SPLITS
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.tokens import TOKENS
from pipeline_lib.text import keywords
from pipeline_lib.text.keywords import extract_keywords
from pipeline_lib.text.tokenisers.english import tokenise_array
from pipeline_lib.vectors import glove_training
from pipeline_lib.vectors.glove import write_vectors
from pipeline_lib.vectors.glove_training import count_cooccurrences

PAIRS = 8_000
Stage: TypeAlias = Callable[[dict[str, Path], Path], None]
WORDS = pa.array([f"{a}{b}{c}" for a in "bdgklmnprst" for b in "aeiou" for c in ("n", "r", "st", "ll", "ng")])


def texts(n: int, generator: np.random.Generator, words: int = 10) -> pa.Array:
    drawn = WORDS.take(pa.array(generator.integers(len(WORDS), size=n * words)))
    return pc.binary_join(pa.ListArray.from_arrays(np.arange(0, n * words + 1, words, np.int32), drawn), " ")


def write_examples(path: Path, context: pa.Array, response: pa.Array) -> Path:
    n = len(context)
    columns = {
        "example_id": np.arange(n),
        "dialogue_id": pa.repeat("d", n),
        "turn": pa.array(np.arange(n), pa.int32()),
        "context": context,
        "response": response,
        "user": pa.nulls(n, pa.string()),
        "label": pa.nulls(n, pa.int32()),
    }
    write_parquet(path, pa.table(columns, schema=EXAMPLES), EXAMPLES)
    return path


# --- counting ------------------------------------------------------------------------------------------------------


def test_counts_beyond_the_memory_limit_are_spilled_and_equal_brute_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(1)
    several = texts(15_000, generator)
    context, response = (several.take(pa.array(generator.integers(15_000, size=60_000))) for _ in range(2))
    monkeypatch.setattr(database, "MEMORY", "12MB")  # half of what the hash tables need: DuckDB then writes them out
    found = counting.count_examples(
        write_examples(tmp_path / "examples.parquet", context, response), tmp_path / "scratch"
    )

    responses, contexts = defaultdict(set), defaultdict(set)
    for said, answer in zip(context.to_pylist(), response.to_pylist(), strict=True):
        responses[said].add(answer)
        contexts[answer].add(said)
    assert found == counting.ExampleCounts(
        examples=60_000,
        distinct_pairs=sum(map(len, responses.values())),
        contexts=len(responses),
        responses=len(contexts),
        one_to_many_contexts=sum(len(own) > 1 for own in responses.values()),
        most_responses=max(map(len, responses.values())),
        many_to_one_responses=sum(len(own) > 1 for own in contexts.values()),
        most_contexts=max(map(len, contexts.values())),
    )


def test_a_database_that_gives_up_is_an_error_that_names_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = write_examples(
        tmp_path / "examples.parquet", texts(20_000, rng := np.random.default_rng(1)), texts(20_000, rng)
    )
    monkeypatch.setattr(database, "MEMORY", "1MB")  # too little even to spill: the database gives up
    with pytest.raises(PipelineError, match="DuckDB stopped") as caught:
        counting.count_examples(examples, tmp_path / "scratch")
    assert caught.value.where == str(tmp_path / "scratch")
    assert "results:" in caught.value.remedy
    assert [path.name for path in tmp_path.iterdir() if path.name[0] != "."] == ["examples.parquet"]


def test_what_a_killed_count_left_on_disk_is_gone_after_the_next_one(tmp_path: Path) -> None:
    scratch, rng = tmp_path / "scratch", np.random.default_rng(1)
    examples = write_examples(tmp_path / "examples.parquet", texts(99, rng), texts(99, rng))
    code = f"""
import os, signal
from pathlib import Path
from pipeline_lib.examples import counting, database
database.iter_parquet = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
counting.count_examples(Path({str(examples)!r}), Path({str(scratch)!r}))
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    assert (scratch / "examples.duckdb").exists()
    assert counting.count_examples(examples, scratch).examples == 99
    assert not scratch.exists()


# --- arrays on disk ------------------------------------------------------------------------------------------------


def test_arrays_joined_on_disk_are_those_joined_in_memory_and_leave_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    parts = [np.random.default_rng(n).normal(size=(n, 3)).astype(np.float32) for n in (4, 0, 2)]
    joined = scratch.concatenated(iter(parts), np.float32)
    np.testing.assert_array_equal(joined, np.concatenate(parts))
    assert isinstance(joined.base, np.memmap)
    assert scratch.concatenated(iter(parts[1:2]), np.float32).shape == (0, 3)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rows", [1, 100_000], ids=["when it is closed", "on the way"])
def test_a_full_temporary_folder_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", partial(open, "/dev/full", "w+b"))
    with pytest.raises(PipelineError, match="no space left in the temporary folder") as caught:
        scratch.concatenated(iter([np.zeros((rows, 3), np.float32)]), np.float32)
    assert caught.value.where == tempfile.gettempdir()


# --- memory --------------------------------------------------------------------------------------------------------


def extract(given: dict[str, Path], out: Path) -> None:
    outputs = {split: out / f"{split}.parquet" for split in SPLITS}
    extract_examples(given["dialogues"], Window(context=2), tokenise_array, outputs, out / "tokens")


def filtered(given: dict[str, Path], out: Path) -> None:
    filter_examples(
        given["examples"], known_tokens(given["tokens"], given["vectors"], Filtering()), Filtering(), out / "kept"
    )


def cooccurring(given: dict[str, Path], out: Path) -> None:
    count_cooccurrences(glove_training.sentences(given["dialogues"], tokenise_array), WORDS, window=5)


def with_keywords(given: dict[str, Path], out: Path) -> None:
    extract_keywords(
        given["examples"], given["examples"], Keywords(), language="english", threads=1, out=out / "keywords"
    )


def clustered(given: dict[str, Path], out: Path) -> None:
    examples = dict.fromkeys(SPLITS, given["examples"])
    cluster_examples(
        examples, [], given["vectors"], "agglomerative", Clustering(landmarks=20, exact_up_to=100), out / "clusters"
    )


@pytest.fixture(scope="module")
def given_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """`PAIRS` examples of two words and a long tail of words without content, as each stage reads them."""
    folder, generator, n = tmp_path_factory.mktemp("scale"), np.random.default_rng(0), PAIRS
    tail = pa.scalar("the of and a " * 5 + "the")
    context, response = (pc.binary_join_element_wise(texts(n, generator, 2), tail, " ") for _ in range(2))
    split = np.repeat(SPLITS, [n - 20, 10, 10])
    columns = {"dialogue_id": split, "turn": np.arange(n), "speaker": pa.nulls(n), "text": context, "split": split}
    dialogues = pa.table(columns | {"label": pa.nulls(n)}).cast(DIALOGUES)
    files = {name: folder / name for name in ("dialogues", "examples", "tokens", "vectors")}
    write_parquet(files["dialogues"], dialogues, DIALOGUES)
    write_examples(files["examples"], context, response)
    words = pa.concat_arrays([WORDS, pa.array(["the", "of", "and", "a"])])
    write_vectors(files["vectors"], words, generator.normal(size=(len(words), 8)).astype(np.float32), "made up")
    counts = pa.array(np.full(len(words), 9))
    write_parquet(files["tokens"], pa.table([words, counts, counts], schema=TOKENS), TOKENS)
    return files


@pytest.mark.parametrize("stage", [extract, filtered, cooccurring, with_keywords, clustered])
def test_what_a_stage_holds_does_not_grow_while_it_reads(
    given_files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: Stage
) -> None:
    held: list[int] = []

    def watched(path: Path, *arguments: Any, **options: Any) -> Iterator[pa.RecordBatch]:
        for batch in iter_parquet(path, *arguments, **options | {"batch_size": PAIRS // 40}):
            held.append(pa.total_allocated_bytes() + tracemalloc.get_traced_memory()[0])
            yield batch

    for module in (windows, filtering, glove_training, keywords, assign):
        monkeypatch.setattr(module, "iter_parquet", watched)
    stage(given_files, tmp_path)  # what is cached for good is not counted
    growth = []
    for _ in range(2):  # other threads of a worker of the tests allocate too, now and then: the smaller growth counts
        held.clear()
        tracemalloc.start()
        stage(given_files, tmp_path)
        tracemalloc.stop()
        assert len(held) >= 40
        growth.append(max(held) - held[1])
    all_texts = PAIRS * 2 * 80  # bytes
    assert min(growth) < all_texts / 2
