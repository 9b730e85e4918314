"""A finished run stays finished."""

import csv
import os

from tiny_workflow import ROWS


def test_the_run_ends_with_every_system_in_tables_two_and_three(finished):
    for table in ("table2", "table3"):
        with open(finished.results / f"tables/{table}.csv", newline="", encoding="utf-8") as file:
            assert {row["system"] for row in csv.DictReader(file)} == set(ROWS)
        assert (finished.results / f"tables/{table}.md").stat().st_size
        assert (finished.results / f"tables/{table}.tex").stat().st_size
    assert "Embedded" in (finished.results / "tables/table1.md").read_text(encoding="utf-8")


def test_a_second_run_does_nothing(finished):
    before = finished.checksums()
    done = finished.run()
    assert done.returncode == 0, done.stdout
    assert "Nothing to be done" in done.stdout
    assert finished.checksums() == before


def test_an_up_to_date_run_shows_neither_a_warning_nor_a_traceback(finished):
    shown = finished.run("results/tables/table2.csv").stdout
    assert "Nothing to be done" in shown
    assert "Exception" not in shown
    assert "Traceback" not in shown
    assert "Warning" not in shown


def test_files_whose_times_changed_but_not_their_contents_rerun_nothing(checkout):
    copy = checkout()
    for path in [*copy.folder.glob("workflow/**/*.py"), *copy.folder.glob("src/**/*.py")]:
        os.utime(path)
    assert copy.planned() == set()
