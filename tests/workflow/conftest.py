"""The tiny run that the tests of the workflow share."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_workflow import TinyWorkflow


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> TinyWorkflow:
    """The tiny workflow, run to the end. It is shared: dry runs only; `checkout` gives a copy to run in."""
    workflow = TinyWorkflow.create(tmp_path_factory.mktemp("workflow") / "tiny")
    done = workflow.run()
    assert done.returncode == 0, done.stdout
    return workflow


@pytest.fixture
def checkout(finished: TinyWorkflow, tmp_path: Path) -> Callable[[], TinyWorkflow]:
    """Gives a copy of the finished workflow."""
    return lambda: finished.copy(tmp_path / "checkout")
