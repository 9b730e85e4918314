"""Two runs compared: what differs in their records, which figures moved, and by how much more than chance."""

import csv
import json

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_json, write_parquet
from pipeline_lib.runs.compare import main
from pipeline_lib.runs.differences import Run, changes, moved_cells
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.schemas.scores import SCORES
from unit.refusals import refusal

N = 12  # examples


def score(system, seed, metric, value, selection="none", signature="s"):
    row = {"corpus": "c", "split": "test", "system": system, "seed": seed, "selection": selection, "metric": metric}
    return row | {"value": value, "low": None, "high": None, "n": N, "n_empty": 0, "n_oov": 0, "signature": signature}


class Folder:
    """A results folder with the figures that it is given."""

    def __init__(self, path):
        self.path, self.rows = path, []

    def add(self, system, seed, metric, per_item, contexts="c", selection="none", signature="s"):
        """One metric of one run: its score, and the values of the examples that it is the mean of."""
        self.rows.append(score(system, seed, metric, float(np.mean(per_item)), selection, signature))
        n = len(per_item)
        texts = {"context": [f"{contexts}{i}" for i in range(n)], "reference": ["r"] * n, "response": ["a b"] * n}
        columns = {
            "example_id": range(n),
            "sample": [0] * n,
            "selection": [selection] * n,
            **texts,
            "tokens": [2] * n,
        }
        table = pa.table({name: columns.get(name, [None] * n) for name in RESPONSES.names}).cast(RESPONSES)
        table = table.append_column(metric, pa.array(np.asarray(per_item, np.float64)))
        about = {"corpus": "c", "split": "test", "system": system, "seed": str(seed)}
        write_parquet(self.path / f"items/c/{system}/seed{seed}/test.parquet", table, table.schema, about)
        return self

    def done(self, **manifest):
        write_parquet(self.path / "scores/test/scores.parquet", pa.Table.from_pylist(self.rows, SCORES), SCORES)
        if manifest:
            record = {"created": "2026-01-01T00:00:00+00:00", "config": {}, "packages": {}, "data": {}, "code": {}}
            write_json(self.path / "manifest.json", record | manifest)
        return Run.read(self.path)


@pytest.fixture
def runs(tmp_path):
    return Folder(tmp_path / "a"), Folder(tmp_path / "b")


def test_a_folder_with_tables_and_without_gathered_scores_is_told_the_target_that_gathers_them(tmp_path):
    write_json(tmp_path / "tables/table2.json", {})
    error = refusal(lambda: Run.read(tmp_path))
    assert f"snakemake --cores 2 -- {tmp_path}/scores/validation/scores.parquet" in error.remedy


def test_the_interval_of_several_seeds_is_welchs(runs):
    rng = np.random.default_rng(0)
    values = [rng.normal(0, 1, 3), rng.normal(1, 2, 4)]
    for folder, seeds in zip(runs, values, strict=True):
        for seed, value in enumerate(seeds):
            folder.add("x", seed, "Average", np.full(N, value))
    [cell] = moved_cells(*(folder.done() for folder in runs))
    expected = stats.ttest_ind(values[1], values[0], equal_var=False).confidence_interval(0.95)
    assert (cell.low, cell.high) == pytest.approx((expected.low, expected.high))
    assert (cell.over, cell.seeds) == ("seeds and items", (3, 4))
    assert cell.p == pytest.approx(stats.ttest_ind(values[1], values[0], equal_var=False).pvalue)
    assert cell.difference == pytest.approx(values[1].mean() - values[0].mean())


def test_a_dagger_takes_the_spread_of_trainings_and_items_into_account(runs, capsys):
    rng = np.random.default_rng(8)
    items = rng.normal(size=N)
    for folder, shift in zip(runs, (0, 1), strict=True):
        for seed in range(3):
            folder.add("trained anew", seed, "Average", items + rng.normal(0, 1))
            folder.add("better", seed, "Average", items + 20 * shift + rng.normal(0, 1) + rng.normal(0, 0.1, N))
    cells = moved_cells(*(folder.done() for folder in runs))
    assert [(cell.key.system, cell.mark) for cell in cells] == [("better", "†"), ("trained anew", "")]
    main([str(folder.path) for folder in runs])
    assert "by the test of that interval over seeds and items" in capsys.readouterr().out


def test_runs_with_other_items_have_an_interval_over_seeds_alone(runs):
    for folder, contexts in zip(runs, ("c", "other"), strict=True):
        for seed in range(3):
            folder.add("x", seed, "Average", np.arange(N) + seed + len(contexts), contexts=contexts)
    [cell] = moved_cells(*(folder.done() for folder in runs))
    assert (cell.over, cell.p, cell.mark) == ("seeds", None, "")


def test_single_seeds_are_compared_pair_by_pair(runs):
    rng = np.random.default_rng(1)
    before = rng.normal(size=N)
    after = before + rng.normal(0.4, 0.5, N)
    first, second = (folder.add("x", 1, "Average", v).done() for folder, v in zip(runs, (before, after), strict=True))
    [cell] = moved_cells(first, second)
    resampled = stats.bootstrap((after - before,), np.mean, n_resamples=20_000, method="percentile", rng=2)
    assert (cell.low, cell.high) == pytest.approx(tuple(resampled.confidence_interval), abs=0.05)
    assert cell.over == "items"
    exact = stats.permutation_test(
        (before, after), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=np.inf
    )
    assert cell.p == pytest.approx(exact.pvalue, abs=0.02)


def test_other_questions_are_not_paired_and_the_cell_says_so(runs):
    first = runs[0].add("x", 1, "Average", np.arange(N)).done()
    second = runs[1].add("x", 1, "Average", np.arange(N) + 1.0, contexts="other").done()
    [cell] = moved_cells(first, second)
    assert cell.p is None
    assert cell.low is None
    assert cell.note == "unpaired: the runs have other examples"


def test_runs_without_a_seed_in_common_are_not_paired(runs):
    first, second = (
        folder.add("x", seed, "Average", np.arange(N) * seed).done() for seed, folder in enumerate(runs, 1)
    )
    [cell] = moved_cells(first, second)
    assert cell.note == "unpaired: no seed in common"


def test_a_metric_measured_otherwise_gets_neither_interval_nor_test(runs):
    first = runs[0].add("x", 1, "Average", np.arange(N), signature="vectors:a").done()
    second = runs[1].add("x", 1, "Average", np.arange(N) + 1.0, signature="vectors:b").done()
    [cell] = moved_cells(first, second)
    assert cell.p is None
    assert "other settings of the metric" in cell.note


def test_p_values_are_corrected_over_all_cells_and_the_greatest_move_comes_first(runs):
    rng = np.random.default_rng(3)
    for system, shift in (("still", 0.0), ("little", 0.1), ("much", 3.0)):
        base = rng.normal(size=N)
        runs[0].add(system, 1, "Average", base)
        runs[1].add(system, 1, "Average", base + shift + (rng.normal(0, 0.3, N) if shift else 0))
    cells = moved_cells(*(folder.done() for folder in runs))
    assert [cell.key.system for cell in cells] == ["much", "little"]  # what did not move is left out
    smallest = min(cell.p for cell in cells)
    assert cells[0].p_adjusted == pytest.approx(2 * smallest)


def test_nested_records_differ_where_an_entry_does_and_a_missing_part_stands_as_a_whole():
    first = {"training": {"epochs": 6, "clip": 5}, "systems": {"a": {"label": "A"}}, "seeds": [1]}
    second = {"training": {"epochs": 9, "clip": 5}, "systems": {"b": {"label": "B"}}, "seeds": [1]}
    found = {change.key: change for change in changes(first, second)}
    assert found.keys() == {"training.epochs", "systems.a", "systems.b"}
    assert found["training.epochs"][1:] == (6, 9)
    assert found["systems.a"].first == {"label": "A"}


def test_the_command_prints_settings_then_cells_and_writes_all_as_csv(runs, tmp_path, capsys):
    rng = np.random.default_rng(4)
    for folder, shift, rate in zip(runs, (0, 5), (0.1, 0.2), strict=True):
        folder.add("x", 1, "Average", rng.normal(size=N) + shift)
        if shift:
            folder.add("new", 1, "Average", np.ones(N))
        folder.done(config={"results": folder.path.name, "training": {"learning_rate": rate}}, packages={"torch": "2"})
    main([str(runs[0].path), str(runs[1].path), "--csv", str(tmp_path / "moved.csv")])
    printed = capsys.readouterr().out
    assert "training.learning_rate  0.1 -> 0.2" in printed
    assert "torch" not in printed  # what is the same is not listed
    assert "Only B has system: new" in printed
    [line] = [line for line in printed.splitlines() if line.startswith("c ")]
    assert line.split()[:4] == ["c", "test", "x", "Average"]
    assert line.endswith("*◇")  # of one seed
    assert "about these trained models: another training may move a value as far" in printed
    [row] = csv.DictReader((tmp_path / "moved.csv").read_text().splitlines())
    assert float(row["b"]) - float(row["a"]) == pytest.approx(float(row["difference"]))


def test_a_run_compared_with_itself_shows_nothing(runs, capsys):
    runs[0].add("x", 1, "Average", np.arange(N)).done()
    main([str(runs[0].path)] * 2)
    printed = capsys.readouterr().out
    assert "Values in both runs: 1, of them not the same: 0" in printed
    assert "has no manifest.json" in printed


@pytest.mark.parametrize("kind", ["absent", "empty"])
def test_a_folder_that_is_no_run_is_named(tmp_path, kind):
    folder = tmp_path / "nothing"
    if kind == "empty":
        folder.mkdir()
    with pytest.raises(PipelineError, match="no run") as error:
        main([str(folder), str(folder)])
    assert error.value.where == str(folder)
    assert "scores/test/scores.parquet" in error.value.expected
    assert "results:" in error.value.remedy


def test_a_damaged_manifest_is_named(runs):
    runs[0].add("x", 1, "Average", np.arange(N)).done(config={"seeds": [1]})
    (runs[0].path / "manifest.json").write_text(json.dumps({"config": {}})[:-3])
    with pytest.raises(PipelineError, match="damaged") as error:
        Run.read(runs[0].path)
    assert error.value.where.endswith("manifest.json")
