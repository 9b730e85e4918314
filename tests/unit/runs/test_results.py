"""Results as data frames, against the rows that were written."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipeline_lib import results
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.schemas.scores import SCORES

N = 5
SYSTEMS, SPLITS, SEEDS = ("cvae", "random"), ("test", "validation"), (1, 2)


def bleu(system, split, seed):
    return np.random.default_rng([len(system), len(split), seed]).random(N)


@pytest.fixture
def folder(tmp_path):
    """Two systems, two splits, two seeds; only one system has likelihoods and one metric more."""
    for system in SYSTEMS:
        for split in SPLITS:
            for seed in SEEDS:
                own = {"corpus": "c", "split": split, "system": system, "seed": seed}
                columns = {"example_id": range(N), "sample": [0] * N, "selection": ["none"] * N, "tokens": [2] * N}
                columns |= {"context": [f"c{i}" for i in range(N)], "reference": ["r"] * N, "response": [system] * N}
                columns |= {"nll": np.arange(N, dtype=np.float32)} if system == "cvae" else {}
                items = pa.table({name: columns.get(name, [None] * N) for name in RESPONSES.names}).cast(RESPONSES)
                items = items.append_column("BLEU-1", pa.array(bleu(system, split, seed)))
                if system == "cvae":
                    items = items.append_column("nll-bound", pa.array(np.ones(N)))
                place = f"c/{system}/seed{seed}/{split}.parquet"
                write_parquet(tmp_path / "items" / place, items, items.schema, {k: str(v) for k, v in own.items()})
                row = own | {"selection": "none", "metric": "BLEU-1", "value": float(bleu(system, split, seed).mean())}
                row |= {"low": None, "high": None, "n": N, "n_empty": 0, "n_oov": 0, "signature": "s"}
                write_parquet(tmp_path / "scores" / place, pa.Table.from_pylist([row], SCORES), SCORES)
    write_parquet(tmp_path / "scores/test/scores.parquet", SCORES.empty_table(), SCORES)  # the joined ones count once
    return tmp_path


def test_every_score_is_a_row_with_the_run_that_it_belongs_to(folder):
    frame = results.load(folder).scores
    assert list(frame.columns[:4]) == ["corpus", "split", "system", "seed"]
    assert set(frame.columns) == set(SCORES.names)
    assert len(frame) == len(SYSTEMS) * len(SPLITS) * len(SEEDS)
    for row in frame.itertuples():
        assert row.value == pytest.approx(bleu(row.system, row.split, row.seed).mean())


def test_items_have_a_column_for_each_metric_and_none_for_texts(folder):
    frame = results.load(folder).items
    assert len(frame) == 8 * N
    assert not {"context", "reference", "response"} & set(frame.columns)
    one = frame[(frame.system == "cvae") & (frame.split == "test") & (frame.seed == 2)].sort_values("example_id")
    np.testing.assert_array_equal(one["BLEU-1"], bleu("cvae", "test", 2))
    np.testing.assert_array_equal(one["nll"], np.arange(N))
    assert frame[frame.system == "random"]["nll-bound"].isna().all()  # a metric that this system lacks


def test_responses_join_with_items_row_by_row(folder):
    run = results.load(str(folder))
    keys = ["corpus", "split", "system", "seed", "selection", "example_id", "sample"]
    joined = run.items.merge(run.responses, on=keys, validate="one_to_one")
    assert len(joined) == len(run.items) == len(run.responses)
    assert (joined.response == joined.system).all()


@pytest.mark.parametrize(
    ("chosen", "runs"),
    [({"system": "cvae"}, 4), ({"split": ["test"], "seed": 2}, 2), ({"seed": [1, 2], "corpus": "c"}, 8)],
)
def test_only_the_runs_that_are_asked_for_are_read(folder, chosen, runs):
    for file in folder.glob("items/*/*/*/*.parquet"):
        names = {"system": file.parts[-3], "split": file.stem, "seed": file.parts[-2], "corpus": "c"}
        asked = {
            key: {str(v) for v in ([value] if isinstance(value, str | int) else value)} for key, value in chosen.items()
        }
        if not all(names[key].removeprefix("seed") in wanted for key, wanted in asked.items()):
            file.unlink()
    assert len(results.load(folder, **chosen).items) == runs * N


def test_frames_are_read_when_they_are_asked_for_and_once(folder):
    run = results.load(folder)
    for file in folder.glob("items/*/*/*/*.parquet"):
        file.unlink()
    assert isinstance(run.scores, pd.DataFrame)
    assert run.scores is run.scores
    with pytest.raises(PipelineError, match="file not found"):
        _ = run.items


def test_what_is_not_there_is_named_with_what_is(folder, tmp_path):
    with pytest.raises(PipelineError, match="no system 'cave'") as error:
        results.load(folder, system="cave")
    assert "'cvae'" in error.value.expected
    with pytest.raises(PipelineError, match="no such folder") as error:
        results.load(tmp_path / "nowhere")
    assert error.value.remedy
