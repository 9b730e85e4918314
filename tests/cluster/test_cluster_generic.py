"""The profile for any scheduler, against a stand-in for OpenPBS."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cluster_workflow import ClusterWorkflow

PROFILE = Path(__file__).parents[2] / "profiles/cluster-generic"


@pytest.fixture
def pbs(tmp_path: Path) -> dict[str, str]:
    """The environment in which qsub, qstat and qdel are the stand-in's."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "jobs").mkdir()
    for name in ("qsub", "qstat", "qdel"):
        program = tmp_path / "bin" / name
        program.write_text(f"#!{sys.executable}\n" + (Path(__file__).parent / "fake_pbs.py").read_text())
        program.chmod(0o755)
    return {"FAKE_PBS": str(tmp_path / "jobs"), "PATH": f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}"}


def test_a_deleted_training_job_is_submitted_again_with_more_memory_and_the_table_is_the_same(
    pbs: dict[str, str], finished: ClusterWorkflow, without_sepacvae: ClusterWorkflow
) -> None:
    pytest.importorskip("snakemake_executor_plugin_cluster_generic", reason="make cluster installs it")
    workflow = without_sepacvae
    run = workflow.start("profiles/cluster-generic", pbs, "--seconds-between-status-checks", "2")
    workflow.wait_for(run, "training", lambda: workflow.trained_steps() > 25)
    requests = [path.read_text().split() for path in sorted(Path(pbs["FAKE_PBS"]).glob("*.request"))]
    assert requests == [["train_model", "select=1:ncpus=1:mem=6000mb:ngpus=1", "walltime=24:0:00"]]
    subprocess.run(["qdel", "1.fake"], env=os.environ | pbs, check=True)
    at_fault = workflow.trained_steps()
    seen = workflow.steps_until_trained(run)
    workflow.finish(run)

    assert at_fault > 0
    assert min(seen) >= at_fault, "training began anew"
    assert (workflow.folder / workflow.TABLE).read_bytes() == (finished.folder / finished.TABLE).read_bytes()
    second = (Path(pbs["FAKE_PBS"]) / "2.request").read_text().split()
    assert second == ["train_model", "select=1:ncpus=1:mem=12000mb:ngpus=1", "walltime=24:0:00"]


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("    job_state = Q", "running"),
        ("    job_state = R", "running"),
        ("    job_state = E\n    Exit_status = 0", "running"),  # on its way out
        ("    job_state = F\n    Exit_status = 0", "success"),
        ("    job_state = F\n    Exit_status = 1", "failed"),
        ("    job_state = F\n    Exit_status = -11", "failed"),
        ("    job_state = F", "failed"),  # deleted before it started: it never had a status
    ],
)
def test_the_state_of_a_job_is_told_in_words_that_snakemake_knows(tmp_path: Path, answer: str, state: str) -> None:
    told = f"cat <<'END'\nJob Id: 7.server\n{answer}\n    comment = job_state = X\nEND"
    assert state_of_job(tmp_path, told) == state


def test_a_job_that_the_server_does_not_know_for_a_minute_has_failed(tmp_path: Path) -> None:
    assert state_of_job(tmp_path, "exit 153") == "failed"


def state_of_job(folder: Path, qstat: str) -> str:
    """What the profile's status command prints where ``qstat`` is this shell script."""
    for name, text in {"qstat": qstat, "sleep": ":"}.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    command = [str(PROFILE / "status.sh"), "7.server"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()
