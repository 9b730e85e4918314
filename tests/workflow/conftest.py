"""The tiny run that the tests of the workflow share."""

from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from tiny_workflow import TinyWorkflow


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> TinyWorkflow:
    """The tiny workflow, run to the end. It is shared: dry runs only; `checkout` gives a copy to run in.

    The first process of the tests that needs it makes it, and the others copy it.
    """
    base = tmp_path_factory.getbasetemp()
    made = (base if worker_id == "master" else base.parent) / "finished"
    with FileLock(f"{made}.lock"):
        if not made.exists():
            workflow = TinyWorkflow.create(tmp_path_factory.mktemp("workflow") / "tiny")
            done = workflow.run()
            assert done.returncode == 0, done.stdout
            workflow.folder.rename(made)
    return TinyWorkflow(made).copy(tmp_path_factory.mktemp("workflow") / "tiny")


@pytest.fixture
def checkout(finished: TinyWorkflow, tmp_path: Path) -> Callable[[], TinyWorkflow]:
    """Gives a copy of the finished workflow."""
    return lambda: finished.copy(tmp_path / "checkout")
