"""Tables of tiny runs, cell by cell, against those that were written down (`numerics.record`)."""

import csv
import json
from pathlib import Path

import pytest

from numerics.trained import machine

RECORD = Path(__file__).parent / "recorded.json"
TABLES = {  # of a tiny run, by the paper
    "sepacvae": ("table1", "table2", "table3", "table4", "table5", "ablations"),
    "sentence_vae": ("table2", "table3", "table8"),
    "persona_wae": ("table2", "table5", "distances"),
    "keywords_and_instances": ("table4", "contrasts", "gradients"),
}
# what is no sum of many rounded numbers, or of few enough that another machine gives the same to six digits
STEADY = (
    "corpus",
    "system",
    "label",
    "selection",
    "example_id",
    "source",
    "keyword",
    "context",
    "reference",
    "vocabulary",
    "train pairs",
    "validation pairs",
    "test pairs",
    "ppl",
)


def record_of(paper: str, table: str) -> Path:
    """The recorded file of a table."""
    return RECORD.parent / "tables" / paper / f"{table}.csv"


def check_recorded(paper: str, results: Path) -> None:
    """Compare the tables of a run: every cell on the machine of the record, on another one those that must agree."""
    same_machine = json.loads(RECORD.read_text(encoding="utf-8"))["machine"] == machine()
    for table in TABLES[paper]:
        found, expected = _read(results / "tables" / f"{table}.csv"), _read(record_of(paper, table))
        if same_machine:
            assert found == expected, table
        assert len(found) == len(expected), table
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.keys() == theirs.keys()
            for name in ours:
                if name in STEADY or name.endswith(" n"):
                    same = ours[name] == theirs[name]
                    assert same or float(ours[name]) == pytest.approx(float(theirs[name]), rel=1e-4), (table, name)


def _read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
