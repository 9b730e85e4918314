"""Tables of tiny runs, cell by cell, against those that were written down (`numerics.record`)."""

import csv
import json
from pathlib import Path

import pytest

from numerics.trained import machine

RECORD = Path(__file__).parent / "recorded.json"
RECORDED = {  # what stands below a paper's results folder, by the paper
    "sepacvae": tuple(f"tables/{table}.csv" for table in ("table1", "table2", "table3", "table4", "table5", "ablations")),
    "sentence_vae": ("tables/table2.csv", "tables/table3.csv", "tables/table8.csv"),
    "persona_wae": ("tables/table2.csv", "tables/table5.csv", "tables/distances.csv"),
    "keywords_and_instances": ("tables/table4.csv", "tables/contrasts.csv", "tables/gradients.csv"),
}
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


def record_of(paper: str, table: str) -> Path:
    """The recorded file of a table."""
    return RECORD.parent / "tables" / paper / Path(table).name


def check_recorded(paper: str, results: Path) -> None:
    """Compare the tables of a run: every cell on the machine of the record, on another one those that must agree."""
    same_machine = json.loads(RECORD.read_text(encoding="utf-8"))["machine"] == machine()
    for table in RECORDED[paper]:
        found, expected = _read(results / table), _read(record_of(paper, table))
        if same_machine:
            assert found == expected, table
        assert len(found) == len(expected), table
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.keys() == theirs.keys()
            for name in ours.keys() & set(STEADY):
                assert ours[name] == theirs[name] or float(ours[name]) == pytest.approx(float(theirs[name]), rel=1e-4)


def _read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
