"""Tables of decoded texts: what is printed of the first run, and means over the items of all runs."""

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import DecodedTable
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.decoded import DECODED
from pipeline_lib.tables.cells import Table
from pipeline_lib.tables.decoded import make
from pipeline_lib.tables.decoded_means import Estimate, difference, estimate, item_means
from pipeline_lib.tables.files import read_table, write_table
from pipeline_lib.tables.markdown import markdown
from unit.tables.table_fixtures import trained

LAYOUT = Layout(corpora={"g": "Grammar"}, systems={"vae": trained("VAE"), "ae": trained("AE")}, seeds=[1, 2])
ONE = LAYOUT.model_copy(update={"systems": {"vae": trained("VAE")}})
HOSTILE = "=a | b <script> *x*"


def spec(**changes: Any) -> DecodedTable:
    given = {"kind": "decoded", "title": "Paths", "number": "1", "from": "paths", "systems": ["vae"], "shown": 1}
    return DecodedTable.model_validate(given | changes)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    write_parquet(path, pa.Table.from_pylist([{"keep": 1.0, "place": 0, **row} for row in rows], DECODED), DECODED)
    return path


def path_rows(item: int, texts: str, good: str, inputs: bool = False) -> list[dict[str, Any]]:
    """Points of one path: a letter is a text, and 1 tells that it is grammatical."""
    last = len(texts) - 1
    return [
        {
            "item": item,
            "place": place,
            "kind": "point",
            "t": place / last,
            "text": text,
            "grammatical": is_good == "1",
            "log_p": -2.0,
            "nll_lm": float(place),
            "norm": 1.0,
            "input": f"input {place}" if inputs and place in (0, last) else None,
        }
        for place, (text, is_good) in enumerate(zip(texts, good, strict=True))
    ]


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Two paths of each run: of vae with seeds 1 and 2, then of ae."""
    runs = [
        ("aabbc", "11001", "ddddd", "11111"),
        ("xyzxy", "00000", "aabbb", "10101"),
        ("kkkkl", "11100", "mmmmm", "00000"),
        ("ppppp", "10001", "qqqqr", "10001"),
    ]
    return [
        write(tmp_path / f"run{number}.parquet", [*path_rows(1, *run[:2], inputs=True), *path_rows(2, *run[2:])])
        for number, run in enumerate(runs)
    ]


def block(table: Table, title: str) -> list[list[str]]:
    return next(block.lines for block in table.sections[0].blocks if block.title == title)


def test_neighbours_of_one_text_are_merged_and_the_inputs_stand_at_the_ends(paths):
    table = make("table1", spec(), ONE, paths[:2], None, [])
    assert block(table, "Path 1") == [
        ["t", "text", "grammatical"],
        ["first input", "input 0", ""],
        ["0–0.25", "a", "yes"],
        ["0.5–0.75", "b", "no"],
        ["1", "c", "yes"],
        ["last input", "input 4", ""],
    ]
    assert [one.title for one in table.sections[0].blocks] == ["Path 1", "Means"]  # `shown: 1`


def test_a_table_of_further_paths_passes_over_those_of_another(paths):
    table = make("table12", spec(after=1), ONE, paths[:2], None, [])
    assert [one.title for one in table.sections[0].blocks] == ["Path 2", "Means"]


def test_the_csv_has_every_point_of_every_run_under_the_names_of_paths(paths, tmp_path):
    table = make("table1", spec(), ONE, paths[:2], None, [])
    write_table(table, *(tmp_path / f"table1.{kind}" for kind in ("csv", "md", "tex", "json")))
    assert read_table(tmp_path / "table1.json") == table
    with open(tmp_path / "table1.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 5
    assert {"corpus", "system", "label", "seed", "path", "point", "t", "text", "input", "nll_lm"} <= set(rows[0])
    assert not {"bleu", "same_length", "norm_before", "topic_agrees"} & set(rows[0])  # they mean nothing of a path
    assert [row["text"] for row in rows if (row["seed"], row["path"]) == ("2", "1")] == list("xyzxy")
    assert [row["input"] for row in rows if (row["seed"], row["path"]) == ("1", "1")][::4] == ["input 0", "input 4"]


def test_shares_are_of_the_points_between_the_ends_with_students_interval_over_paths(paths):
    table = make("table1", spec(systems=["vae", "ae"]), LAYOUT, paths, None, [])
    lines = {line[0]: line for line in block(table, "Means")}
    of_runs = [[1 / 3, 1], [0, 1 / 3]]  # paths, between the ends
    squared = [stats.sem(paths) ** 2 / 4 for paths in of_runs]
    freedom = sum(squared) ** 2 / sum(one**2 for one in squared)  # one of each run (Welch and Satterthwaite)
    low, high = stats.t.interval(0.95, freedom, np.mean(of_runs), np.sqrt(sum(squared)))
    header = block(table, "Means")[0]
    vae = dict(zip(header, lines["VAE, between the ends"], strict=True))
    assert vae["texts"] == "12"
    assert vae["grammatical"] == f"{np.mean(of_runs):.2f} [{low:.2f}, {high:.2f}]".replace("-", "−")
    assert vae["nll_lm"] == "2.00"  # all alike, which tells nothing of their spread
    assert vae["different"] == f"{((3 / 6) + (5 / 6)) / 2:.3f}"
    seeds = [line for line in block(table, "Means") if line[0] == "run with seed 1"]
    assert [dict(zip(header, line, strict=True))["grammatical"].split()[0] for line in seeds] == ["0.67", "0.33"]


def test_the_share_is_compared_with_that_of_the_other_table_by_welchs_interval(paths):
    others = LAYOUT.model_copy(update={"systems": {"ae": trained("AE")}, "seeds": [1]})
    first_run = ONE.model_copy(update={"seeds": [1]})
    table = make("table8", spec(beside="table1"), first_run, paths[:1], others, paths[2:3])
    first, second = [1 / 3, 1], [2 / 3, 0]
    welch = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    expected = f"{np.mean(first) - np.mean(second):+.2f} [{welch.low:+.2f}, {welch.high:+.2f}]".replace("-", "−")
    note = next(note for note in table.notes if "VAE minus AE" in note)
    assert expected in note
    assert note.endswith("The interval does not exclude 0.")


def test_a_clear_difference_excludes_zero():
    first, second = np.array([1.0, 1, 1, 0.9]), np.array([0.0, 0, 0.1, 0])
    found = difference([first], [second])
    assert found.excludes_zero
    assert found.mean == pytest.approx(0.95)
    welch = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    assert found.mean - found.half == pytest.approx(welch.low)


def test_an_item_without_a_value_is_left_out_and_one_item_has_no_interval():
    rows = [{"seed": 1, "item": item, "v": value} for item, value in ((1, None), (1, 1.0), (2, None), (1, 0.0))]
    [means] = item_means(rows, lambda row: row["v"])
    assert means.tolist() == [0.5]
    assert estimate([means]) == Estimate(0.5, None)
    assert estimate([means]).printed(2) == "0.50"
    assert estimate([means, np.array([1.0, 0.0])]).half is None
    assert estimate([]) is None
    assert difference([means], []) is None


def test_runs_that_differ_do_not_widen_the_interval_of_their_mean():
    """It is about these models: two runs say next to nothing of others."""
    runs = [np.array([0.0, 0.1, 0.0, 0.1]), np.array([1.0, 0.9, 1.0, 0.9])]
    found = estimate(runs)
    assert found.mean == pytest.approx(0.5)
    assert found.half == pytest.approx(stats.t.ppf(0.975, 6) * np.sqrt(2 * stats.sem(runs[0]) ** 2) / 2)


def sample_rows(stretched: bool) -> list[dict[str, Any]]:
    rows = []
    for item, text in enumerate((HOSTILE, "b", "b"), 1):
        rows.append({"item": item, "kind": "prior", "text": text, "norm": 2.0})
        if stretched:
            rows.append({"item": item, "place": 1, "kind": "stretched", "text": "", "norm": 4.0, "norm_before": 2.0})
    return rows


def test_samples_stand_side_by_side_for_the_systems_of_the_table(tmp_path):
    files = [write(tmp_path / f"{i}.parquet", sample_rows(stretched=False)) for i in range(4)]
    table = make("table5", spec(systems=["vae", "ae"], shown=2), LAYOUT, files, None, [])
    assert block(table, "Samples") == [["sample", "VAE", "AE"], ["1", HOSTILE, HOSTILE], ["2", "b", "b"]]
    lines = block(table, "Means")
    assert dict(zip(lines[0], lines[1], strict=True))["different"] == "0.667"
    assert "grammatical" not in lines[0]
    assert [row["sample"] for row in table.records[:3]] == [1, 2, 3]
    text = markdown(table)
    assert not re.search(r"(?<!\\)<", text)


def test_stretched_samples_are_printed_beside_what_they_were(tmp_path):
    files = [write(tmp_path / f"{i}.parquet", sample_rows(stretched=True)) for i in range(2)]
    table = make("table6", spec(shown=2), ONE, files, None, [])
    assert block(table, "Samples")[:2] == [
        ["sample", "|z|", "z", "|A z|", "A z"],
        ["1", "2.00", HOSTILE, "4.00", "(empty)"],
    ]
    lines = {line[0]: line[-1] for line in block(table, "Means")}
    assert (lines["VAE, z"], lines["VAE, A z"]) == ("2.00", "4.00")


def test_reconstructions_stand_below_their_input_for_each_system(tmp_path):
    made = {"input": "x y", "norm": 1.0, "same_length": True, "bleu": 0.5}
    rows = [
        {"item": 1, "kind": "input", "text": "x y"},
        {"item": 1, "place": 1, "kind": "mean", "text": "x", **made},
        {"item": 1, "place": 2, "kind": "draw", "text": "z", **made, "bleu": 0.25},
        {"item": 1, "place": 3, "kind": "draw", "text": "z z", **made, "bleu": 0.0},
    ]
    files = [write(tmp_path / f"{i}.parquet", rows) for i in range(4)]
    table = make("table7", spec(systems=["vae", "ae"]), LAYOUT, files, None, [])
    assert block(table, "Sentence 1") == [
        ["", "VAE", "AE"],
        ["input", "x y", "x y"],
        ["mean", "x", "x"],
        ["draw 1", "z", "z"],
        ["draw 2", "z z", "z z"],
    ]
    lines = block(table, "Means")
    by_name = {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines}
    assert by_name["VAE, mean"]["BLEU-4"].startswith("0.50")
    assert by_name["VAE, draws"]["BLEU-4"].startswith("0.12")
    assert "VAE, input" not in by_name
