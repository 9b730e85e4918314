"""No change of the code's form may change a cell of a table (`python -m numerics.record` in tests/ records anew)."""

import csv
import json
from pathlib import Path

import pytest

from numerics.record import RECORD, TABLES, TARGETS
from numerics.trained import machine

# what is no sum of many rounded numbers, or of few enough that another machine gives the same to six digits
STEADY = (
    "corpus",
    "system",
    "label",
    "selection",
    "vocabulary",
    "train pairs",
    "validation pairs",
    "test pairs",
    "ppl",
)


def read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_cell_of_the_tiny_runs_tables_is_the_recorded_one(checkout):
    copy = checkout()
    done = copy.run(*TARGETS)
    assert done.returncode == 0, done.stdout
    same_machine = json.loads(RECORD.read_text(encoding="utf-8"))["machine"] == machine()
    for table in TABLES:
        found, expected = read(copy.results / f"tables/{table}.csv"), read(RECORD.parent / f"tables/{table}.csv")
        if same_machine:
            assert found == expected, table
        assert len(found) == len(expected)
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.keys() == theirs.keys()
            for name in ours.keys() & set(STEADY):
                assert ours[name] == theirs[name] or float(ours[name]) == pytest.approx(float(theirs[name]), rel=1e-4)
