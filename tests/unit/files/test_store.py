"""The store: what took long comes back when its settings do, and nothing else does."""

import os
import sys
from pathlib import Path

import pytest

from pipeline_lib.files import store
from pipeline_lib.files.checksums import checksum_file, intact, sha256
from pipeline_lib.files.formats import write_text
from pipeline_lib.files.provenance import PLANS, Job, Plan, current_job, record_of, save_plan
from pipeline_lib.runs import stored


@pytest.fixture(autouse=True)
def no_job_is_left(monkeypatch):
    monkeypatch.setenv(store.LIMIT, "1")
    yield
    current_job.cache_clear()


def trained(results: Path, steps: int, monkeypatch, seconds: float = 1.0, stage: str = "train_model") -> Job:
    """A finished job with one output, which holds its setting."""
    job = planned(results, steps, monkeypatch, stage)
    write_text(results / "model", f"weights after {steps}")
    job.finish()
    store.keep(job, seconds)
    return job


def planned(results: Path, steps: int, monkeypatch, stage: str = "train_model") -> Job:
    (results.parent / "data").write_text("data") if not (results.parent / "data").exists() else None
    plan = Plan(stage, {"seed": "1"}, {"max_steps": steps}, "c0", {"@data": ""})
    path = save_plan(results / PLANS, plan, ["model"], {"@data": str(results.parent / "data")})
    monkeypatch.setenv("PIPELINE_PLAN", str(path))
    current_job.cache_clear()
    job = current_job()
    assert job
    return job


def test_a_setting_that_is_changed_and_changed_back_trains_nothing(tmp_path, monkeypatch):
    results = tmp_path / "results"
    trained(results, 10, monkeypatch)
    trained(results, 20, monkeypatch)
    assert store.restored(planned(results, 10, monkeypatch))
    assert (results / "model").read_text() == "weights after 10"
    assert intact(results / "model")
    record = record_of(results / "model")
    assert record
    assert record.restored
    assert record.plan.settings == {"max_steps": 10}
    assert [entry.stage for entry in store.entries(results)] == ["train_model"] * 2


def test_what_was_made_from_other_data_is_not_restored(tmp_path, monkeypatch):
    trained(tmp_path / "results", 10, monkeypatch)
    (tmp_path / "data").write_text("other data")
    assert not store.restored(planned(tmp_path / "results", 10, monkeypatch))


def test_a_stored_file_that_was_edited_in_place_is_not_restored_but_removed(tmp_path, monkeypatch):
    results = tmp_path / "results"
    trained(results, 10, monkeypatch)
    with open(results / "model", "a") as file:  # the file in store is the same
        file.write("!")
    assert not store.restored(planned(results, 10, monkeypatch))
    assert store.entries(results) == []


def test_only_training_and_what_takes_more_than_a_minute_is_kept(tmp_path, monkeypatch):
    results = tmp_path / "results"
    trained(results, 1, monkeypatch, seconds=59, stage="score")
    assert store.entries(results) == []
    trained(results, 2, monkeypatch, seconds=61, stage="score")
    assert len(store.entries(results)) == 1


def test_nothing_is_kept_or_restored_where_the_limit_is_zero(tmp_path, monkeypatch):
    results = tmp_path / "results"
    trained(results, 10, monkeypatch)
    monkeypatch.setenv(store.LIMIT, "0")
    assert not store.restored(planned(results, 10, monkeypatch))
    trained(results, 20, monkeypatch)
    assert len(store.entries(results)) == 1


def test_what_was_not_used_for_longest_goes_first(tmp_path, monkeypatch):
    results = tmp_path / "results"
    for steps in (10, 20, 30):
        trained(results, steps, monkeypatch)
    for age, entry in enumerate(sorted(store.entries(results), key=lambda entry: (entry.folder / "0").read_text())):
        os.utime(entry.folder, (1_000 + age, 1_000 + age))
    assert store.restored(planned(results, 10, monkeypatch))  # used last now
    size = store.entries(results)[0].size
    removed = store.prune(results, 2 * size)
    assert [entry.used for entry in removed] == [1_001]
    assert len(store.entries(results)) == 2
    assert sum(entry.size for entry in store.entries(results)) <= 2 * size


def test_the_command_lists_what_it_removed_and_refuses_a_limit_that_is_none(tmp_path, monkeypatch, capsys):
    results = tmp_path / "results"
    trained(results, 10, monkeypatch)
    for wrong in ("-1", "nan", "inf", "much"):
        monkeypatch.setattr(sys, "argv", ["store", str(results), f"--prune={wrong}"])
        with pytest.raises(SystemExit):
            stored.run()
        assert "is not a number of 0 or more" in capsys.readouterr().err
    assert len(store.entries(results)) == 1
    monkeypatch.setattr(sys, "argv", ["store", str(results), "--prune", "0"])
    stored.run()
    first, last = capsys.readouterr().out.splitlines()
    assert "train_model" in first
    assert last.startswith("1 of 1 entries removed")
    assert not store.entries(results)


def test_a_file_in_the_results_takes_no_room_in_the_store(tmp_path, monkeypatch):
    results = tmp_path / "results"
    trained(results, 10, monkeypatch)
    (entry,) = store.entries(results)
    assert entry.alone == 0
    assert os.stat(results / "model").st_ino == os.stat(entry.folder / "0").st_ino
    (results / "model").unlink()  # as Snakemake does before it starts a job again
    assert entry.alone == entry.size == len("weights after 10")
    assert sha256(entry.folder / "0") == entry.files["model"]
    assert checksum_file(results / "model").exists()
