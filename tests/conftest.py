"""Fixtures that the tests share."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tensors of tests are tiny: more threads only get in each other's way

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """Gives the path of a real corpus file, or skips the test where it is absent."""
    folder = Path(os.environ.get("WORKBENCH_DATA", ROOT.parent / "shared" / "data"))

    def locate(name: str) -> Path:
        if not (folder / name).exists():
            pytest.skip(f"real data: {name} is not in {folder} (set WORKBENCH_DATA to a folder that holds it)")
        return folder / name

    return locate
