"""The command that checks every file of a run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_lib.files.atomic import keep
from pipeline_lib.files.formats import write_json, write_text
from pipeline_lib.files.provenance import PLAN, PLANS, Plan, current_job, save_plan


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write_json(tmp_path / "results/filtered/own/counts.json", {"pairs": 3})
    write_text(tmp_path / "results/tables/table2.csv", "system,BLEU-1\nours,12.5\n")
    (tmp_path / "results/logs").mkdir()
    (tmp_path / "results/logs/own.log").write_text("without a checksum")
    return tmp_path / "results"


def verified(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "pipeline_lib", "verify", folder], capture_output=True, text=True)


def test_a_run_as_it_was_written_passes(results: Path) -> None:
    done = verified(results)
    assert (done.returncode, done.stdout) == (0, "")
    assert "2 files are as they were written, 0 changed; 1 have no checksum" in done.stderr


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    done = verified(tmp_path / "nothing")
    assert done.returncode == 2
    assert f"there is no folder {tmp_path / 'nothing'}" in done.stderr


def test_a_changed_final_table_is_named_on_a_line_of_its_own(results: Path) -> None:
    table = results / "tables/table2.csv"
    table.write_text(table.read_text().replace("12.5", "72.5"))
    done = verified(results)
    assert (done.returncode, done.stdout) == (1, f"{table}\n")
    assert "1 files are as they were written, 1 changed" in done.stderr


def test_what_is_not_remade_is_not_among_the_paths_to_delete_and_its_remedy_is_told(results: Path) -> None:
    key, fetched = results / "ratings/keys/kept/sheet.json", results / "raw/own/talk.csv"
    write_json(fetched.with_name("manifest.json"), [{"name": "talk.csv"}])
    for path in (key, fetched):
        write_text(path, "as written")
        path.write_text("damaged")
    done = verified(results)
    assert (done.returncode, done.stdout) == (1, "")
    told = dict(line.split(": ", 1) for line in done.stderr.splitlines() if line.startswith(str(results)))
    assert "restore the file from a backup" in told[str(key)]
    assert "delete the file and manifest.json beside it" in told[str(fetched)]


def test_a_damaged_checksum_is_told_from_a_damaged_file(results: Path) -> None:
    (results / "tables/.table2.csv.sha256").write_text("\0" * 64)
    done = verified(results)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{results}/tables/table2.csv: the checksum kept beside it, .table2.csv.sha256, is damaged" in done.stderr
    assert "the file itself may be intact" in done.stderr


@pytest.mark.parametrize("damaged", [False, True])
def test_the_documented_line_deletes_what_changed_and_nothing_else(results: Path, damaged: bool) -> None:
    faults = (Path(__file__).parents[3] / "docs/operations/faults.md").read_text(encoding="utf-8")
    line = re.search(r"`python (-m pipeline_lib verify) results (\| xargs [^`]+)`", faults)
    assert line
    before = {path for path in results.rglob("*") if path.is_file()}
    if damaged:
        (results / "tables/table2.csv").write_text("damaged")
    command = f"{sys.executable} {line[1]} results {line[2]}"
    done = subprocess.run(["sh", "-c", command], cwd=results.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert before - {*results.rglob("*")} == ({results / "tables/table2.csv"} if damaged else set())


def test_a_run_inside_the_folder_of_another_is_judged_by_its_own_records(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (results, results / "small"):
        plan = Plan("import", {"corpus": "toy"}, {}, "c0", {"@raw": ""})
        monkeypatch.setenv(PLAN, str(save_plan(folder / PLANS, plan, ["dialogues/toy.txt"], {"@raw": "/raw"})))
        current_job.cache_clear()
        write_text(folder / "dialogues/toy.txt", "text")
    current_job.cache_clear()
    done = verified(results)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    moved = results / "small/dialogues/moved.txt"
    keep(moved.with_name("toy.txt"), moved)
    assert verified(results).stdout == verified(results / "small").stdout == f"{moved}\n"


def test_a_file_that_was_removed_to_be_remade_is_no_damage(results: Path) -> None:
    (results / "tables/table2.csv").unlink()
    assert verified(results).returncode == 0
