"""Fixtures that the tests share."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # the same modules are imported by hundreds of processes
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tensors of tests are tiny: more threads only get in each other's way

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

ROOT = Path(__file__).parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of whole workflows first: their files take minutes, and two processes shall end together."""
    items.sort(key=lambda item: ROOT / "tests/workflow" not in item.path.parents)


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """Gives the path of a real corpus file, or skips the test where it is absent."""
    folder = Path(os.environ.get("WORKBENCH_DATA", ROOT.parent / "shared" / "data"))

    def locate(name: str) -> Path:
        if not (folder / name).exists():
            pytest.skip(f"real data: {name} is not in {folder} (set WORKBENCH_DATA to a folder that holds it)")
        return folder / name

    return locate


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """The system's own Chromium without a window; open pages with ``browser.new_page()`` and close them."""
    program = os.environ.get("WORKBENCH_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium: install the package `chromium`, or set WORKBENCH_CHROMIUM to the program")
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=quiet)
        yield running
        running.close()
