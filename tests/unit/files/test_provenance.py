"""Provenance: what a file was made from is kept beside it, and a reader refuses what it does not expect."""

import errno
import json
import os
import subprocess
from pathlib import Path

import pytest

from pipeline_lib.errors import PipelineError
from pipeline_lib.files import provenance
from pipeline_lib.files.atomic import keep
from pipeline_lib.files.checksums import checksum_file, intact, sha256
from pipeline_lib.files.formats import read_text, write_text
from pipeline_lib.files.outside import NOTES, OutsideFiles
from pipeline_lib.files.provenance import OUTSIDE, PLAN, Job, Plan, current_job, record_of, save_plan
from pipeline_lib.runs.chain import Chain
from unit.refusals import refusal

FILTER = Plan("filter", {"corpus": "toy"}, {"settings": {"min_count": 1}, "tokeniser": "english"}, "c0", {"@a/b": ""})
OTHER = Plan("filter", {"corpus": "toy"}, {"settings": {"min_count": 2}, "tokeniser": "english"}, "c0", {"@a/b": ""})


def plan_of(upstream: Plan) -> Plan:
    return Plan("count", {"corpus": "toy"}, {}, "c1", {"filtered/toy.txt": upstream.digest, "@a/b": OUTSIDE})


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A results folder in which the file of one job is input of another, beside a file from outside."""
    folder = tmp_path / "results"
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b").write_text("raw")
    start(monkeypatch, folder, FILTER, ["filtered/toy.txt"])
    write_text(folder / "filtered/toy.txt", "text")
    finish()
    return folder


def start(monkeypatch, folder: Path, plan: Plan, outputs: list[str]) -> None:
    outside = {"@a/b": str(folder.parent / "a/b")}
    monkeypatch.setenv(PLAN, str(save_plan(folder / provenance.PLANS, plan, outputs, outside)))
    current_job.cache_clear()


def finish() -> None:
    job = current_job()
    assert job
    job.finish()


@pytest.fixture(autouse=True)
def no_job_is_left():
    yield
    current_job.cache_clear()


def test_a_plan_is_named_after_all_that_it_says_and_after_nothing_else():
    same = Plan("filter", {"corpus": "toy"}, {"tokeniser": "english", "settings": {"min_count": 1}}, "c0", {"@a/b": ""})
    assert same.digest == FILTER.digest
    changed = [
        Plan("filters", FILTER.of, FILTER.settings, FILTER.code, FILTER.inputs),
        Plan("filter", {"corpus": "toys"}, FILTER.settings, FILTER.code, FILTER.inputs),
        OTHER,
        Plan("filter", FILTER.of, FILTER.settings, "c1", FILTER.inputs),
        Plan("filter", FILTER.of, FILTER.settings, FILTER.code, {"@a/b": FILTER.digest}),
    ]
    assert len({plan.digest for plan in [FILTER, *changed]}) == 6


def test_a_changed_setting_changes_the_digest_of_everything_downstream():
    assert plan_of(FILTER).digest != plan_of(OTHER).digest
    table = [Plan("table", {}, {}, "c2", {"counts/toy.txt": plan_of(first).digest}).digest for first in (FILTER, OTHER)]
    assert table[0] != table[1]


def test_a_file_carries_its_plan_and_the_checksums_of_what_was_read_also_after_it_was_written(results, monkeypatch):
    start(monkeypatch, results, plan_of(FILTER), ["counts/toy.txt"])
    write_text(results / "counts/toy.txt", "1")
    read_text(results / "filtered/toy.txt")
    finish()
    record = record_of(results / "counts/toy.txt")
    assert record
    assert record.plan == plan_of(FILTER)
    assert record.file == "counts/toy.txt"
    assert record.read == {
        "filtered/toy.txt": sha256(results / "filtered/toy.txt"),
        "@a/b": sha256(results.parent / "a/b"),
    }
    assert set(record.versions) >= {"python"}


def test_sha256sum_still_reads_the_checksum_of_a_file_with_a_record(results):
    command = ["sha256sum", "--check", "--strict", ".toy.txt.sha256"]
    assert subprocess.run(command, cwd=results / "filtered", capture_output=True).returncode == 0


def test_a_damaged_record_is_noticed_wherever_the_damage_is(results):
    path = results / "filtered/toy.txt"
    data = checksum_file(path).read_bytes()
    for place in range(len(data)):
        checksum_file(path).write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert not intact(path), place
    checksum_file(path).write_bytes(data)
    assert intact(path)


def test_a_copy_that_is_kept_has_the_record_of_the_original(results):
    keep(results / "filtered/toy.txt", results / "filtered/kept.txt")
    assert intact(results / "filtered/kept.txt")
    assert record_of(results / "filtered/kept.txt") == record_of(results / "filtered/toy.txt")


def test_a_reader_refuses_a_file_of_another_setting_and_names_it_with_both_values(results, monkeypatch):
    start(monkeypatch, results, plan_of(OTHER), ["counts/toy.txt"])
    save_plan(results / provenance.PLANS, OTHER, [], {})
    with pytest.raises(PipelineError, match=r"min_count of filter is 2 in this run, 1 in filtered/toy\.txt"):
        read_text(results / "filtered/toy.txt")
    job = current_job()
    assert job
    with pytest.raises(PipelineError, match="min_count"):  # and so before any work is done
        job.check_inputs()


def test_a_setting_that_differs_far_up_the_chain_is_found(results, monkeypatch):
    plans = results / provenance.PLANS
    for first in (FILTER, OTHER):
        save_plan(plans, first, [], {})
        save_plan(plans, plan_of(first), [], {})
    start(monkeypatch, results, plan_of(FILTER), ["counts/toy.txt"])
    write_text(results / "counts/toy.txt", "1")
    finish()
    table = Plan("table", {}, {}, "c2", {"counts/toy.txt": plan_of(OTHER).digest})
    start(monkeypatch, results, table, ["table.txt"])
    with pytest.raises(PipelineError, match=r"min_count of filter is 2 in this run, 1 in filtered/toy\.txt"):
        read_text(results / "counts/toy.txt")


def test_a_reader_refuses_another_file_that_lies_in_its_place_with_its_checksum(results, monkeypatch):
    start(monkeypatch, results, OTHER, ["filtered/other.txt"])
    write_text(results / "filtered/other.txt", "other")
    finish()
    for name in ("toy.txt", ".toy.txt.sha256"):
        (results / "filtered" / name).unlink()
    (results / "filtered/other.txt").rename(results / "filtered/toy.txt")
    text = (results / "filtered/.other.txt.sha256").read_text().replace("  other.txt", "  toy.txt")
    (results / "filtered/.toy.txt.sha256").write_text(text)
    start(monkeypatch, results, plan_of(FILTER), ["counts/toy.txt"])
    with pytest.raises(PipelineError, match=r"it was written as filtered/other\.txt"):
        read_text(results / "filtered/toy.txt")


def test_a_file_of_an_earlier_release_is_refused_and_one_put_there_by_hand_is_read(results, monkeypatch):
    path = results / "filtered/toy.txt"
    start(monkeypatch, results, plan_of(FILTER), ["counts/toy.txt"])
    checksum_file(path).write_text(f"{sha256(path)}  toy.txt\n")
    with pytest.raises(PipelineError, match="nothing is known of its making"):
        read_text(path)
    checksum_file(path).unlink()
    assert read_text(path) == "text"


def test_without_a_plan_files_have_checksums_alone(tmp_path, monkeypatch):
    monkeypatch.delenv(PLAN, raising=False)
    current_job.cache_clear()
    write_text(tmp_path / "a.txt", "text")
    assert checksum_file(tmp_path / "a.txt").read_text() == f"{sha256(tmp_path / 'a.txt')}  a.txt\n"
    assert record_of(tmp_path / "a.txt") is None
    assert read_text(tmp_path / "a.txt") == "text"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"stage": "filter"}', json.dumps({"outputs": [], "outside": {}})])
def test_a_plan_that_is_damaged_or_of_another_release_is_an_error_of_ours(tmp_path, content):
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(PipelineError, match="not readable"):
        Job.load(tmp_path / "plan.json")


@pytest.mark.parametrize(
    ("code", "problem"),
    [(errno.ENOSPC, "no space left on the disk"), (errno.EROFS, "nothing can be written into the results folder")],
)
def test_a_results_folder_that_takes_no_plan_is_an_error_that_leaves_nothing_behind(
    results, monkeypatch, code, problem
):
    def refuse(fresh, path):
        raise OSError(code, os.strerror(code), str(path))

    plans = results / provenance.PLANS
    before = sorted(plans.iterdir())
    monkeypatch.setattr("pipeline_lib.files.provenance.os.replace", refuse)
    error = refusal(lambda: save_plan(plans, OTHER, ["filtered/toy.txt"], {}))
    assert error.problem.startswith(problem)
    assert "`results:`" in error.remedy
    assert sorted(plans.iterdir()) == before


def test_a_file_from_outside_that_an_older_one_replaced_is_noticed_also_by_a_later_run(results):
    made, outside = results / "filtered/toy.txt", {"@a/b": str(results.parent / "a/b")}
    path = results.parent / "a/b"
    assert OutsideFiles(results / provenance.PLANS).replaced(made, outside) == []
    os.utime(path, (1, 1))
    assert OutsideFiles(results / provenance.PLANS).replaced(made, outside) == []
    other = path.with_name("c")
    other.write_text("wet")
    os.utime(other, (1, 1))
    other.rename(path)  # same size, same time
    assert OutsideFiles(results / provenance.PLANS).replaced(made, outside) == [str(path)]
    assert list(Chain(results).problems("filtered/toy.txt")) == [f"was made from another version of {path}"]


def test_a_file_from_outside_is_read_once_as_long_as_it_is_the_same(results, monkeypatch):
    made, outside = results / "filtered/toy.txt", {"@a/b": str(results.parent / "a/b")}
    (results / provenance.PLANS / NOTES).write_text("[1, damaged")
    OutsideFiles(results / provenance.PLANS).replaced(made, outside)
    monkeypatch.setattr("pipeline_lib.files.outside.sha256", lambda path: pytest.fail(f"{path} is read again"))
    assert OutsideFiles(results / provenance.PLANS).replaced(made, outside) == []
