"""Pages and docstrings name files of the project as they are."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"`([A-Za-z_][\w./-]*\.(?:py|smk))`")
INVENTED = {"questions.py", "transformer.py"}  # what the reader of a page writes


def _tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def test_every_module_that_a_page_or_docstring_names_is_there() -> None:
    files = _tracked()
    if not files:
        pytest.skip("not a git checkout")
    absent = [
        f"{file}: {name}"
        for file in files
        if file.endswith((".md", ".py", ".smk", ".yaml")) and (ROOT / file).exists()
        for name in NAME.findall((ROOT / file).read_text(encoding="utf-8"))
        if name not in INVENTED and not any(f"/{known}".endswith(f"/{name}") for known in files)
    ]
    assert not absent


def test_each_line_of_a_block_of_commands_holds_one_command() -> None:
    """A block that was wrapped like prose runs its commands together."""
    files = _tracked()
    if not files:
        pytest.skip("not a git checkout")
    command = re.compile(r"(?:^|\s)(?:make [a-z]|snakemake (?:-|[a-z])|python -m )")
    pages = {file: (ROOT / file).read_text(encoding="utf-8") for file in files if file.endswith(".md")}
    lines = [
        f"{file}: {line}"
        for file, text in pages.items()
        for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
        if len(command.findall(line)) > 1
    ]
    assert not lines
