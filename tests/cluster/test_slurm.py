"""The workflow on a real SLURM: the same table, whatever happens to a training job."""

import os
import signal
from collections.abc import Callable

import pytest
from cluster_workflow import ClusterWorkflow
from local_slurm import ACCOUNT, LocalSlurm


def cancelled(slurm: LocalSlurm, workflow: ClusterWorkflow, job: str) -> None:
    slurm.ask("scancel", job)


def killed(slurm: LocalSlurm, workflow: ClusterWorkflow, job: str) -> None:
    process = workflow.training_process()
    assert process
    os.kill(process, signal.SIGKILL)


def node_down(slurm: LocalSlurm, workflow: ClusterWorkflow, job: str) -> None:
    node = slurm.ask("squeue", "--noheader", "--jobs", job, "--format", "%N").strip()
    slurm.ask("scontrol", "update", f"nodename={node}", "state=down", "reason=test")


def preempted(slurm: LocalSlurm, workflow: ClusterWorkflow, job: str) -> None:
    everything = ["--partition=urgent", f"--account={ACCOUNT}", "--nodes=3", "--exclusive", "--output=/dev/null"]
    slurm.ask("sbatch", *everything, "--wrap=sleep 3")


def test_table2_made_through_slurm_equals_the_local_one(slurm, finished, tmp_path, request):
    earlier = {job["JobIDRaw"] for job in slurm.history()}  # of other tests
    workflow = ClusterWorkflow.create(tmp_path / "slurm")
    request.addfinalizer(workflow.stop)
    workflow.finish(workflow.start_on_slurm(slurm.environment))
    assert (workflow.folder / workflow.TABLE).read_bytes() == (finished.folder / finished.TABLE).read_bytes()
    jobs = [job for job in slurm.history() if job["JobIDRaw"] not in earlier]
    assert {job["Account"] for job in jobs} == {ACCOUNT}
    assert {job["State"] for job in jobs} == {"COMPLETED"}
    training = [job for job in jobs if "rule_train_model" in job["Comment"]]
    assert len(training) == 3
    assert {job["Partition"] for job in training} == {"gpu"}
    assert all("gres/gpu=1" in job["ReqTRES"] for job in training)


def test_the_whole_embedded_table2_made_through_slurm_equals_the_local_one(slurm, tmp_path, request):
    local, remote = (ClusterWorkflow.embedded(tmp_path / name) for name in ("local", "slurm"))
    done = local.run(local.TABLE)
    assert done.returncode == 0, done.stdout
    request.addfinalizer(remote.stop)
    shown = remote.finish(remote.start_on_slurm(slurm.environment, "--jobs", "4"), seconds=3600)
    assert (remote.folder / remote.TABLE).read_bytes() == (local.folder / local.TABLE).read_bytes()
    made = (remote.results / "models/embedded").glob("*/seed*/model.safetensors")
    assert len(list(made)) == shown.count("rule train_model:") > 10


@pytest.mark.parametrize(
    ("fault", "ends_as", "remedy"),
    [
        pytest.param(cancelled, "CANCELLED", "a new job", id="scancel"),
        pytest.param(killed, "FAILED", "a new job", id="process-killed"),
        pytest.param(node_down, "NODE_FAIL", "the same job queued again", id="node-down"),
        pytest.param(preempted, "PREEMPTED", "the same job queued again", id="preempted"),
    ],
)
def test_a_training_job_that_is_stopped_resumes_from_its_checkpoint_and_the_table_is_the_same(
    slurm: LocalSlurm,
    finished: ClusterWorkflow,
    without_sepacvae: ClusterWorkflow,
    fault: Callable[[LocalSlurm, ClusterWorkflow, str], None],
    ends_as: str,
    remedy: str,
) -> None:
    workflow = without_sepacvae
    earlier = {job["JobIDRaw"] for job in slurm.history()}
    run = workflow.start_on_slurm(slurm.environment)
    job = workflow.wait_for(run, "the training job", lambda: slurm.jobs("RUNNING").get(workflow.JOB))
    workflow.wait_for(run, "training", lambda: workflow.trained_steps() > 25)
    fault(slurm, workflow, job)
    at_fault = workflow.trained_steps()
    seen = workflow.steps_until_trained(run)
    workflow.finish(run)

    assert at_fault > 0
    assert min(seen) >= at_fault, "training began anew"
    assert workflow.model.read_bytes() == finished.model.read_bytes()
    assert (workflow.folder / workflow.TABLE).read_bytes() == (finished.folder / finished.TABLE).read_bytes()

    attempts = [each for each in slurm.history() if each["Comment"] == workflow.JOB and each["JobIDRaw"] not in earlier]
    assert [each["State"].split()[0] for each in attempts] == [ends_as, "COMPLETED"]
    first, second = attempts
    assert (first["JobIDRaw"] == second["JobIDRaw"]) == (remedy == "the same job queued again")


def test_a_job_that_exceeds_its_memory_is_tried_again_with_more(slurm, finished, without_sepacvae):
    earlier = {job["JobIDRaw"] for job in slurm.history()}
    too_little = round(0.7 * finished.peak_megabytes())
    growing = f"train_model:mem_mb={too_little} * attempt"
    run = without_sepacvae.start_on_slurm(slurm.environment, "--set-resources", growing)
    without_sepacvae.finish(run)
    table = without_sepacvae.folder / without_sepacvae.TABLE
    assert table.read_bytes() == (finished.folder / finished.TABLE).read_bytes()
    attempts = [
        each for each in slurm.history() if each["Comment"] == without_sepacvae.JOB and each["JobIDRaw"] not in earlier
    ]
    # SLURM calls it OUT_OF_MEMORY only where control groups enforce the limit
    assert [each["State"] for each in attempts] == ["FAILED"] * (len(attempts) - 1) + ["COMPLETED"]
    assert len(attempts) > 1
    assert [each["ReqMem"] for each in attempts] == [f"{too_little * (1 + i)}M" for i in range(len(attempts))]
    logs = without_sepacvae.folder / ".snakemake/slurm_logs/rule_train_model"
    for failed in attempts[:-1]:
        [log] = logs.rglob(f"{failed['JobIDRaw']}.log")
        assert "exceeded memory limit" in log.read_text()
