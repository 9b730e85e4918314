"""No file of another setting survives below a table, whatever was killed, shared, lost or swapped."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tiny_workflow import ROWS, TinyWorkflow

from pipeline_lib.files.provenance import record_of

TABLE = "results/tables/table2.csv"
CHANGED = {"decoding": {"importance_samples": 3}}
HOLD = """
import pathlib, sys, time
from pipeline_lib.files.lock import hold
hold(pathlib.Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""
AFTER_CHANGE = {
    *(f"generate_responses {system} 1 validation" for system in ("seq2seq", "k_cvae_bow", "sepacvae")),
    *(f"score_responses {system} 1 validation" for system in ROWS),  # whose signatures name the samples
    "compare_systems table2",
    "make_score_table table2",
}


def command(workflow: TinyWorkflow, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the package, in the folder of a workflow."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline_lib", *arguments],
        cwd=workflow.folder,
        env=workflow.environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )


def responses(workflow: TinyWorkflow) -> dict[str, int]:
    """The number of importance samples by which the responses of each trained system below Table 2 were scored."""
    found = {}
    for path in sorted(workflow.results.glob("responses/embedded/*/seed1/validation.parquet")):
        record = record_of(path)
        assert record
        if record.plan.stage == "generate_responses":
            found[record.plan.of["system"]] = record.plan.settings["settings"]["importance_samples"]
    return found


def kill_a_job(workflow: TinyWorkflow, process: subprocess.Popen[str], words: str) -> None:
    """Kill the first job of a run whose command line has ``words``, and let the run end."""
    while process.poll() is None:
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                line = (entry / "cmdline").read_bytes().decode().split("\0")
                ours = os.readlink(entry / "cwd") == str(workflow.folder)
            except OSError:
                continue
            if ours and words in " ".join(line) and "python" in Path(line[0]).name:
                os.kill(int(entry.name), signal.SIGKILL)
                process.communicate(timeout=600)
                return
        time.sleep(0.01)
    raise AssertionError(f"no job with {words}: {process.communicate()[0]}")


def test_a_job_killed_after_a_changed_setting_leaves_no_mixed_table(checkout):
    workflow = checkout()
    process = subprocess.Popen(
        workflow.command(TABLE, changes=CHANGED),
        cwd=workflow.folder,
        env=workflow.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    kill_a_job(workflow, process, "generate_responses.py --model results/models/embedded/k_cvae_bow")
    assert process.returncode == 1
    done = workflow.run(TABLE, changes=CHANGED)
    assert done.returncode == 0, done.stdout
    assert responses(workflow) == {"seq2seq": 3, "k_cvae_bow": 3, "sepacvae": 3}
    told = command(workflow, "explain", "results/tables/table2.csv")  # every file of the chain fits the others
    assert told.returncode == 0, told.stderr
    assert "settings.importance_samples: 3" in told.stdout
    assert "settings.importance_samples: 1" not in told.stdout
    assert workflow.planned(TABLE, changes=CHANGED) == set()


def test_results_without_the_notes_of_snakemake_are_made_again_where_settings_differ_and_only_there(checkout):
    workflow = checkout()
    shutil.rmtree(workflow.folder / ".snakemake")
    assert workflow.planned(TABLE) == set()
    assert workflow.planned(TABLE, changes=CHANGED) == AFTER_CHANGE


def test_a_second_working_directory_does_not_take_the_results_of_the_first_for_its_own(finished, tmp_path):
    first = finished.copy(tmp_path / "first")
    second = finished.copy(tmp_path / "second")
    shutil.rmtree(second.results)
    shutil.rmtree(second.folder / ".snakemake")
    shared = {"results": str(first.results)}
    target = str(first.results / "tables/table2.csv")
    assert second.planned(target, changes=shared) == set()
    assert second.planned(target, changes=shared | CHANGED) == AFTER_CHANGE


def test_a_results_folder_is_locked_for_other_working_directories(checkout):
    workflow = checkout()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(workflow.results)],
        env=workflow.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout
        holder.stdout.readline()
        before = workflow.checksums()
        done = workflow.run(TABLE, changes=CHANGED)
        assert done.returncode == 1
        assert "another run of the workflow writes into this results folder" in done.stdout
        assert f"process {holder.pid}" in done.stdout
        after = workflow.checksums()
        assert {name: after[name] for name in before} == before
    finally:
        holder.kill()
        holder.communicate()


def test_swapped_responses_with_their_checksums_are_made_again(checkout):
    workflow = checkout()
    folder = workflow.results / "responses/embedded"
    (folder / "seq2seq").rename(folder / "other")
    (folder / "sepacvae").rename(folder / "seq2seq")
    (folder / "other").rename(folder / "sepacvae")
    told = command(workflow, "verify", "results")
    assert told.returncode == 1
    assert "results/responses/embedded/seq2seq/seed1/validation.parquet" in told.stdout.splitlines()
    assert "was written as responses/embedded/sepacvae/seed1/validation.parquet" in told.stderr
    jobs = workflow.planned(TABLE)
    assert {f"generate_responses {system} 1 validation" for system in ("seq2seq", "sepacvae")} <= jobs
    assert "make_score_table table2" in jobs
    assert not any("train_model" in job or "k_cvae_bow" in job for job in jobs)


def test_a_setting_that_is_changed_and_changed_back_trains_nothing(checkout):
    workflow = checkout()
    target = "results/models/embedded/seq2seq/seed1/model.safetensors"
    path = workflow.results / "models/embedded/seq2seq/seed1/model.safetensors"
    before = path.read_bytes()
    assert workflow.run(target, changes={"training": {"max_steps": 10}}).returncode == 0
    assert path.read_bytes() != before
    done = workflow.run(target)
    assert done.returncode == 0, done.stdout
    assert path.read_bytes() == before
    assert "taken from the store" in (workflow.results / "logs/models/embedded/seq2seq/seed1.log").read_text()
    assert "train_model embedded seq2seq 1" in command(workflow, "store", "results").stdout


def test_what_verify_names_is_remade_by_the_same_command_and_nothing_is_left_missing(checkout):
    workflow = checkout()
    before = {name: digest for name, digest in workflow.checksums().items() if not name.startswith(".")}
    for name in ("items/embedded/random/seed1/validation.parquet", "tables/table2.md"):
        with open(workflow.results / name, "r+b") as file:
            file.truncate(20)
    told = command(workflow, "verify", "results")
    assert told.returncode == 1
    for path in told.stdout.splitlines():
        (workflow.folder / path).unlink()
    done = workflow.run(TABLE)
    assert done.returncode == 0, done.stdout
    after = {name: digest for name, digest in workflow.checksums().items() if not name.startswith(".")}
    timed = ("manifest.json", "tables/costs", "report")
    of_data = [name for name in before if not name.endswith(".sha256") and not name.startswith(timed)]
    assert set(before) <= set(after)
    assert [name for name in of_data if after.get(name) != before[name]] == []
    assert command(workflow, "verify", "results").returncode == 0


def test_explain_names_the_responses_behind_a_cell(finished):
    table = json.loads((finished.results / "tables/table2.json").read_text())
    label = next(row["label"] for row in table["rows"] if row["system"] == "sepacvae")
    told = command(finished, "explain", "results/tables/table2.csv", "--cell", label, "BLEU-1")
    assert told.returncode == 0, told.stderr
    lines = [line.split()[0] for line in told.stdout.splitlines() if ".parquet" in line or ".safetensors" in line]
    assert "responses/embedded/sepacvae/seed1/validation.parquet" in lines
    assert "models/embedded/sepacvae/seed1/model.safetensors" in lines
    assert not any("seq2seq" in line for line in lines)
    wrong = command(finished, "explain", "results/tables/table2.csv", "--cell", label, "BLUE-1")
    assert wrong.returncode == 1
    assert "did you mean 'BLEU-1'?" in wrong.stderr
