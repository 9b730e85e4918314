"""One training job over several GPUs or nodes of a real SLURM; its processes compute on the CPU and talk over gloo."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cluster_workflow import ClusterWorkflow
from local_slurm import LocalSlurm

LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo"}
TWO_NODES: dict[str, int | str] = {  # as docs/operations/clusters.md has it
    "nodes": 2,
    "gpu": 2,
    "mpi": "srun",
    "tasks": 2,
    "tasks_per_gpu": 0,
    "slurm_extra": "'--gpus-per-node=1'",
}


@pytest.fixture(scope="module")
def alone(finished: ClusterWorkflow, tmp_path_factory: pytest.TempPathFactory) -> ClusterWorkflow:
    """SepaCVAE trained by one process, for fewer steps: processes wait for one another where a machine is busy."""
    workflow = ClusterWorkflow(finished.copy(tmp_path_factory.mktemp("alone") / "checkout").folder)
    workflow.change("papers/sepacvae/small.yaml", {"training": {"max_steps": 120, "validate_every": 60}})
    done = workflow.run(target(workflow))
    assert done.returncode == 0, done.stdout
    return workflow


@pytest.fixture
def workflow(alone: ClusterWorkflow, tmp_path: Path) -> Iterator[ClusterWorkflow]:
    """The same, where SepaCVAE is still to be trained."""
    copy = ClusterWorkflow(alone.copy(tmp_path / "checkout").folder)
    for made in (copy.model.parent, copy.results / ".store"):
        shutil.rmtree(made)
    yield copy
    copy.stop()


def target(workflow: ClusterWorkflow) -> str:
    return str(workflow.model.relative_to(workflow.folder))


def ask_for(workflow: ClusterWorkflow, threads: int = 1, **resources: int | str) -> None:
    """Write into the profile what the training job is to get."""
    path = workflow.folder / "profiles/slurm/config.yaml"
    profile = yaml.safe_load(path.read_text())
    profile["set-threads"] = {"train_model": threads}
    profile["set-resources"]["train_model"] = profile["set-resources"]["train_model"] | resources
    path.write_text(yaml.safe_dump(profile))


def train(workflow: ClusterWorkflow, slurm: LocalSlurm) -> subprocess.Popen[bytes]:
    return workflow.start_on_slurm(slurm.environment | LOOPBACK, target=target(workflow))


def ranks(workflow: ClusterWorkflow) -> set[tuple[str, str, str]]:
    """(node, rank, number of processes) of every process that torchrun started in this folder."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if link.resolve() != workflow.folder.resolve():
                continue
            entries = (link.parent / "environ").read_text(errors="replace").split("\0")
        except OSError:  # ended meanwhile
            continue
        of_process = dict(entry.partition("=")[::2] for entry in entries)
        if "RANK" in of_process:
            found.add((of_process["SLURMD_NODENAME"], of_process["RANK"], of_process["WORLD_SIZE"]))
    return found


def history(workflow: ClusterWorkflow) -> list[tuple[str, dict[str, float]]]:
    """(train or validation, numbers) of every record, in order, but for the speed."""
    records = [json.loads(line) for line in (workflow.model.parent / "history.jsonl").read_text().splitlines()]
    return [(record.pop("kind"), {k: v for k, v in record.items() if k != "tokens_per_s"}) for record in records]


def assert_same_curve(workflow: ClusterWorkflow, alone: ClusterWorkflow) -> None:
    """The loss, its parts and the gradient norm of every record are those of one process, to float tolerance."""
    shared, single = history(workflow), history(alone)
    assert [numbers["step"] for kind, numbers in single if kind == "train"] == [0, 20, 40, 60, 80, 100]
    assert [kind for kind, _ in shared] == [kind for kind, _ in single]
    for (_, ours), (_, its) in zip(shared, single, strict=True):
        assert ours == pytest.approx(its, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(
    ("resources", "threads", "nodes"),
    [
        pytest.param({"gpu": 2}, 2, 1, id="two-gpus-of-one-node"),
        pytest.param(TWO_NODES, 1, 2, id="two-nodes"),
    ],
)
def test_two_processes_train_as_one_does(
    slurm: LocalSlurm,
    alone: ClusterWorkflow,
    workflow: ClusterWorkflow,
    resources: dict[str, int | str],
    threads: int,
    nodes: int,
) -> None:
    earlier = {job["JobIDRaw"] for job in slurm.history()}
    ask_for(workflow, threads, **resources)
    run = train(workflow, slurm)
    processes = workflow.wait_for(run, "two processes", lambda: len(found := ranks(workflow)) == 2 and found)
    workflow.finish(run)

    assert {(rank, number) for _, rank, number in processes} == {("0", "2"), ("1", "2")}
    assert len({node for node, *_ in processes}) == nodes
    assert_same_curve(workflow, alone)
    [job] = [each for each in slurm.history() if each["JobIDRaw"] not in earlier]
    assert (job["Comment"], job["State"]) == (workflow.JOB, "COMPLETED")
    asked = dict(item.split("=") for item in job["ReqTRES"].split(","))
    assert (asked["gres/gpu"], asked["node"], asked["cpu"]) == ("2", str(nodes), "2")


def test_a_job_of_two_processes_that_is_cancelled_goes_on_with_one(
    slurm: LocalSlurm, alone: ClusterWorkflow, workflow: ClusterWorkflow
) -> None:
    earlier = {job["JobIDRaw"] for job in slurm.history()}
    ask_for(workflow, gpu="2 if attempt == 1 else 1")
    run = train(workflow, slurm)
    job = workflow.wait_for(run, "the training job", lambda: slurm.jobs("RUNNING").get(workflow.JOB))
    workflow.wait_for(run, "training", lambda: workflow.trained_steps() > 25)
    slurm.ask("scancel", job)
    at_fault = workflow.trained_steps()
    seen = workflow.steps_until_trained(run)
    workflow.finish(run)

    assert at_fault > 0
    assert min(seen) >= at_fault, "training began anew"
    assert_same_curve(workflow, alone)
    attempts = [each for each in slurm.history() if each["JobIDRaw"] not in earlier]
    assert [each["State"].split()[0] for each in attempts] == ["CANCELLED", "COMPLETED"]
    assert ["gres/gpu=2" in each["ReqTRES"] for each in attempts] == [True, False]
