"""Stages before training in bounded memory: exact when they spill, and no larger on more pairs."""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline_lib import schema
from pipeline_lib.cluster import scratch
from pipeline_lib.config import Clustering, Filtering, Keywords
from pipeline_lib.corpora import counting
from pipeline_lib.errors import PipelineError
from pipeline_lib.storage import write_parquet
from pipeline_lib.text.glove import write_vectors

SCRIPTS = Path(__file__).parents[2] / "workflow/scripts"
WORDS = pa.array([f"{a}{b}{c}" for a in "bdgklmnprst" for b in "aeiou" for c in ("n", "r", "st", "ll", "ng")])
# runs a script and prints the most memory, in KiB, that this process ever had
MEASURED = """
import runpy, sys
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")))
"""


def texts(n: int, generator: np.random.Generator, words: int = 10) -> pa.Array:
    drawn = WORDS.take(pa.array(generator.integers(len(WORDS), size=n * words)))
    return pc.binary_join(pa.ListArray.from_arrays(np.arange(0, n * words + 1, words, np.int32), drawn), " ")


def write_pairs(path: Path, context: pa.Array, response: pa.Array) -> Path:
    n = len(context)
    columns = {
        "pair_id": np.arange(n),
        "dialogue_id": pa.repeat("d", n),
        "turn": pa.array(np.arange(n), pa.int32()),
        "context": context,
        "response": response,
        "label": pa.nulls(n, pa.int32()),
    }
    write_parquet(path, pa.table(columns, schema=schema.PAIRS), schema.PAIRS)
    return path


# --- counting ------------------------------------------------------------------------------------------------------


def test_counts_beyond_the_memory_limit_are_spilled_and_equal_brute_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(1)
    several = texts(15_000, generator)
    context, response = (several.take(pa.array(generator.integers(15_000, size=60_000))) for _ in range(2))
    monkeypatch.setattr(counting, "MEMORY", "12MB")  # half of what the hash tables need: DuckDB then writes them out
    found = counting.count_pairs(write_pairs(tmp_path / "pairs.parquet", context, response))

    responses, contexts = defaultdict(set), defaultdict(set)
    for said, answer in zip(context.to_pylist(), response.to_pylist(), strict=True):
        responses[said].add(answer)
        contexts[answer].add(said)
    assert found == counting.PairCounts(
        pairs=60_000,
        distinct_pairs=sum(map(len, responses.values())),
        contexts=len(responses),
        responses=len(contexts),
        one_to_many_contexts=sum(len(own) > 1 for own in responses.values()),
        most_responses=max(map(len, responses.values())),
        many_to_one_responses=sum(len(own) > 1 for own in contexts.values()),
        most_contexts=max(map(len, contexts.values())),
    )


def test_a_full_temporary_folder_is_an_error_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = write_pairs(tmp_path / "pairs.parquet", texts(20_000, rng := np.random.default_rng(1)), texts(20_000, rng))
    monkeypatch.setattr(counting, "MEMORY", "1MB")  # too little even to spill: the database gives up
    with pytest.raises(PipelineError, match="DuckDB stopped") as caught:
        counting.count_pairs(pairs)
    assert "count_pairs." in caught.value.where
    assert "tmpdir" in caught.value.remedy


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


# --- memory --------------------------------------------------------------------------------------------------------


def mebibytes(script: str, *arguments: str | Path) -> float:
    command = [sys.executable, "-c", MEASURED, SCRIPTS / f"{script}.py", *arguments]
    answer = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return int(answer.stdout.split()[-1]) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="a process's peak memory is read from /proc")
@pytest.mark.parametrize("stage", ["filter_pairs", "extract_keywords", "cluster_pairs"])
def test_eight_times_the_pairs_take_a_stage_hardly_more_memory(tmp_path: Path, stage: str) -> None:
    vectors = tmp_path / "vectors.parquet"
    write_vectors(vectors, WORDS, np.random.default_rng(0).normal(size=(len(WORDS), 8)).astype(np.float32), "made up")
    tokens = pa.table({"token": WORDS, "count": [9] * len(WORDS), "train_count": [9] * len(WORDS)}, schema.TOKENS)
    write_parquet(tmp_path / "tokens.parquet", tokens, schema.TOKENS)
    peaks = []
    for n in (20_000, 160_000):
        generator = np.random.default_rng(n)
        train = write_pairs(tmp_path / "train.parquet", texts(n, generator), texts(n, generator))
        few = write_pairs(tmp_path / "few.parquet", texts(9, generator), texts(9, generator))
        out, given = tmp_path / "out", ("--train", train, "--validation", few, "--test", few)
        arguments = {
            "filter_pairs": [*given, "--tokens", tmp_path / "tokens.parquet", "--vectors", vectors,
                             "--settings", Filtering().model_dump_json(), "--out-train", out / "1",
                             "--out-validation", out / "2", "--out-test", out / "3", "--report", out / "4"],
            "extract_keywords": ["--pairs", train, "--train", train, "--settings", Keywords().model_dump_json(),
                                 "--threads", "1", "--out", out / "5"],
            "cluster_pairs": [*given, "--keywords", "--vectors", vectors, "--method", "agglomerative", "--settings",
                              Clustering(landmarks=50).model_dump_json(), "--out", out / "6"],
        }  # fmt: skip
        peaks.append(mebibytes(stage, *arguments[stage]))
    assert peaks[1] - peaks[0] < 64, peaks
