"""A cluster, and the table that it is to reproduce."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_workflow import ClusterWorkflow
from local_slurm import PACKAGES, LocalSlurm, missing


@pytest.fixture(scope="session")
def running_slurm() -> Iterator[LocalSlurm]:
    """A SLURM of three nodes on loopback."""
    if os.geteuid() != 0:
        pytest.skip("SLURM's daemons start jobs in the name of users, which needs root")
    if lacking := missing():
        pytest.skip(f"{', '.join(lacking)} not found; `make test-cluster` installs {PACKAGES}")
    # not pytest's own folder: a socket's path has 107 characters at most
    with (
        tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as folder,
        LocalSlurm(Path(folder)) as cluster,
    ):
        yield cluster


@pytest.fixture
def slurm(running_slurm: LocalSlurm) -> Iterator[LocalSlurm]:
    """The same, which every test finds with all nodes in service and the queue empty."""
    yield running_slurm
    running_slurm.tidy()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> ClusterWorkflow:
    """The tiny workflow run on this machine, without a cluster, as far as Table 2."""
    workflow = ClusterWorkflow.create(tmp_path_factory.mktemp("local") / "tiny")
    done = workflow.run(workflow.TABLE)
    assert done.returncode == 0, done.stdout
    return workflow


@pytest.fixture
def without_sepacvae(finished: ClusterWorkflow, tmp_path: Path) -> Iterator[ClusterWorkflow]:
    """A copy of the finished workflow in which SepaCVAE is still to be trained."""
    copy = ClusterWorkflow(finished.copy(tmp_path / "checkout").folder)
    copy.forget("sepacvae")
    yield copy
    copy.stop()
