"""Training curves, against histories written by hand."""

import json

import pytest
from pyarrow import csv

from pipeline_lib.errors import PipelineError
from pipeline_lib.figures.histories import Options, curves, draw, plot


def history(path, *records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def of_cvae(path, ppl, kl):
    return history(
        path,
        {"kind": "train", "step": 0, "weight": 0.0, "kl": 99.0},
        {"kind": "validation", "step": 100, "ppl": ppl, "ppl_bound": ppl + 1, "kl": kl, "active_units": 3},
        {"kind": "train", "step": 100, "weight": 0.5, "kl": 99.0},
    )


@pytest.fixture
def histories(tmp_path):
    plain = {"kind": "validation", "step": 100, "ppl": 40.0, "ppl_bound": 40.0, "kl": 0.0}
    return {
        "cvae": [of_cvae(tmp_path / "a1", 20.0, 2.0), of_cvae(tmp_path / "a2", 30.0, 5.0)],
        "seq2seq": [history(tmp_path / f"b{i}", plain) for i in (1, 2)],
    }


def test_a_curve_is_the_mean_and_the_range_of_the_runs(histories):
    rows = {(row["system"], row["quantity"], row["step"]): row for row in curves(histories).to_pylist()}
    found = [rows["cvae", "ppl", 100][name] for name in ("mean", "low", "high", "runs")]
    assert found == [25.0, 20.0, 30.0, 2]
    assert rows["cvae", "kl", 100]["mean"] == 3.5  # of validation, not of training
    assert [rows["cvae", "weight", step]["mean"] for step in (0, 100)] == [0.0, 0.5]


def test_a_system_without_a_latent_variable_has_no_curve_of_one(histories):
    drawn = {row["quantity"] for row in curves(histories).to_pylist() if row["system"] == "seq2seq"}
    assert drawn == {"ppl", "ppl_bound"}


def test_what_is_drawn_is_what_the_csv_says(histories, tmp_path):
    labels = {"cvae": "CVAE", "seq2seq": "Seq2Seq"}
    paths = [tmp_path / f"figure.{kind}" for kind in ("svg", "png", "csv")]
    plot(labels, [p for runs in histories.values() for p in runs], Options(), *paths)
    table = csv.read_csv(paths[2])
    assert table.to_pylist() == curves(histories).to_pylist()
    panel = draw(curves(histories), labels).axes[0]
    assert [(line.get_label(), line.get_xydata().tolist()) for line in panel.lines] == [
        ("CVAE", [[100.0, 25.0]]),
        ("Seq2Seq", [[100.0, 40.0]]),
    ]


def test_the_quantities_that_are_asked_for_are_drawn_in_their_order(histories, tmp_path):
    paths = [tmp_path / f"figure.{kind}" for kind in ("svg", "png", "csv")]
    plot({"cvae": "CVAE"}, histories["cvae"], Options(quantities=["weight", "kl"]), *paths)
    assert csv.read_csv(paths[2])["quantity"].unique().to_pylist() == ["weight", "kl"]
    titles = [axes.get_title(loc="left") for axes in draw(curves(histories, ["weight", "kl"]), {"cvae": "CVAE"}).axes]
    assert titles[:2] == ["annealing weight α", "KL to the prior (nats)"]


def test_a_system_without_a_latent_variable_has_no_empty_panels_of_its_own(histories):
    figure = draw(curves({"seq2seq": histories["seq2seq"]}), {"seq2seq": "Seq2Seq"})
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["ppl, reconstruction", "ppl, bound", ""]


@pytest.mark.parametrize("line", ["not json", "[1, 2]", '{"kind": "train"}'])
def test_a_damaged_history_is_an_error_that_names_file_and_line(tmp_path, line):
    path = history(tmp_path / "history.jsonl", {"kind": "train", "step": 0, "weight": 0.0})
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(PipelineError, match="no record") as error:
        curves({"cvae": [path]})
    assert f"{path}:2" in str(error.value)
    assert all(word in str(error.value) for word in ("expected:", "remedy:"))


def test_quantities_that_no_run_recorded_are_an_error(histories):
    with pytest.raises(PipelineError, match="none of kl, weight was recorded"):
        curves({"seq2seq": histories["seq2seq"]}, ["kl", "weight"])
