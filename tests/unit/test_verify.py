"""The command that checks every file of a run."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_lib.storage import write_json, write_text


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write_json(tmp_path / "results/filtered/own/counts.json", {"pairs": 3})
    write_text(tmp_path / "results/tables/table2.csv", "system,BLEU-1\nours,12.5\n")
    (tmp_path / "results/logs").mkdir()
    (tmp_path / "results/logs/own.log").write_text("without a checksum")
    return tmp_path / "results"


def verified(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "pipeline_lib.verify", folder], capture_output=True, text=True)


def test_a_run_as_it_was_written_passes(results: Path) -> None:
    done = verified(results)
    assert (done.returncode, done.stdout) == (0, "")
    assert "2 files are as they were written, 0 changed" in done.stderr


def test_a_changed_final_table_is_named_on_a_line_of_its_own(results: Path) -> None:
    table = results / "tables/table2.csv"
    table.write_text(table.read_text().replace("12.5", "72.5"))
    done = verified(results)
    assert (done.returncode, done.stdout) == (1, f"{table}\n")
    assert "1 files are as they were written, 1 changed" in done.stderr


def test_a_file_that_was_removed_to_be_remade_is_no_damage(results: Path) -> None:
    (results / "tables/table2.csv").unlink()
    assert verified(results).returncode == 0
