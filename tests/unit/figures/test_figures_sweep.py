"""The figure of the sweep: what stands on which axis, and that the lines are the numbers."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from pipeline_lib.analyses.one_to_many import METRICS, POINT
from pipeline_lib.errors import PipelineError
from pipeline_lib.figures.sweep import PANELS, SWEEP, _trends, draw, numbers, plot
from pipeline_lib.files.formats import write_parquet

LABELS = {"random": "Random response", "seq2seq": "Seq2Seq", "sepacvae": "SepaCVAE"}


def point_file(path, level):
    rows = [
        {
            "corpus": path.stem,
            "responses_per_context": 1 + level,
            "contexts_per_response": 2 + level,
            "system": system,
            "metric": metric,
            "value": level + i,
            "low": level + i - 0.1,
            "high": level + i + 0.2,
            "of_runs": [level + i - 0.5, level + i, level + i + 0.5],
        }
        for i, system in enumerate(LABELS)
        for metric in METRICS
        if not (system == "seq2seq" and metric == "kl")
    ]
    write_parquet(path, pa.Table.from_pylist(rows, POINT), POINT)
    return path


@pytest.fixture
def sweep(tmp_path):
    """A centre that lies on both axes, and one more corpus on each."""
    files = {name: point_file(tmp_path / f"{name}.parquet", level) for name, level in (("a", 0), ("b", 1), ("c", 2))}
    return {
        "axes": ["one_to_many", "one_to_many", "many_to_one", "many_to_one"],
        "rates": [0.0, 0.5, 0.2, 0.6],
        "points": [files["a"], files["b"], files["b"], files["c"]],
    }


def test_every_measure_of_the_sweep_has_a_panel():
    assert set(PANELS) == set(METRICS)


def test_a_corpus_on_both_axes_stands_in_both_columns(sweep):
    table = numbers(**sweep)
    assert table.schema == SWEEP
    places = {(row["axis"], row["rate"], row["corpus"]) for row in table.to_pylist()}
    assert places == {
        ("one_to_many", 0, "a"),
        ("one_to_many", 0.5, "b"),
        ("many_to_one", 0.2, "b"),
        ("many_to_one", 0.6, "c"),
    }


def test_the_lines_and_bars_are_the_numbers_in_order_of_the_rates(sweep):
    order = [1, 0, 3, 2]
    figure = draw(numbers(**{name: [values[i] for i in order] for name, values in sweep.items()}), LABELS)
    bleu = figure.axes[1]
    bars = {bar.get_label(): bar for bar in bleu.containers}
    line, _, (limits,) = bars["SepaCVAE"].lines
    np.testing.assert_allclose(line.get_ydata(), [3, 4])
    np.testing.assert_allclose([ends[:, 1] for ends in limits.get_segments()], [[2.9, 3.2], [3.9, 4.2]])
    np.testing.assert_allclose(line.get_xdata(), [0.2, 0.6], atol=0.03)  # beside the others, near the rate
    assert [line.get_ydata().tolist() for line in bleu.lines if line.get_label() == "Random response"] == [[1, 2]]


def test_the_trend_of_each_system_is_tested_over_its_runs_at_three_rates_with_holms_correction(sweep):
    axes, rates = ["one_to_many"] * 3, [0.0, 0.5, 1.0]
    points = [*sweep["points"][:2], sweep["points"][3]]
    table = numbers(axes, rates, points).to_pylist()
    own = {row["slope"] for row in table if row["system"] in ("seq2seq", "sepacvae")}
    assert sorted(own) == pytest.approx([2.0] * len(own))  # a level more for each half of the rate
    assert {row["slope"] for row in table if row["system"] == "random"} == {None}
    values = np.add.outer([0, 1, 2], [-0.5, 0, 0.5]).ravel()
    p = stats.pearsonr(np.repeat(rates, 3), values).pvalue  # equal to the t test of the slope
    found = [row["slope_p"] for row in table if row["slope_p"] is not None]
    assert found == pytest.approx([p * (2 * len(METRICS) - 1)] * len(found))  # Seq2Seq has no KL


def test_runs_that_are_equal_at_each_rate_are_one_value_and_no_evidence_of_their_own():
    row = {"axis": "one_to_many", "system": "k_cvae_bow", "metric": "ARI, response given"}
    values = [0.5, 0.2, 0.1]
    for runs in (1, 2, 3):
        rows = [
            row | {"rate": rate, "runs": runs, "of_runs": [value] * runs}
            for rate, value in zip([0.0, 0.5, 1.0], values, strict=True)
        ]
        [found] = _trends(rows).values()
        assert found["slope_p"] == pytest.approx(stats.linregress([0.0, 0.5, 1.0], values).pvalue)


def test_runs_that_are_equal_at_one_rate_alone_are_runs_all_the_same():
    rates, runs = [0.0, 0.5, 1.0], [[0.82, 0.90], [0.17, 0.38], [0.0, 0.0]]
    rows = [
        {"axis": "many_to_one", "system": "seq2seq", "metric": "uptake", "rate": rate, "runs": 2, "of_runs": own}
        for rate, own in zip(rates, runs, strict=True)
    ]
    [found] = _trends(rows).values()
    assert found["slope_p"] == pytest.approx(stats.linregress(np.repeat(rates, 2), np.ravel(runs)).pvalue)


def test_a_line_is_faint_unless_its_trend_is_decided(sweep):
    table = numbers(["one_to_many"] * 3, [0.0, 0.5, 1.0], [*sweep["points"][:2], sweep["points"][3]])
    for p, opacity in ((0.2, 0.35), (0.01, None), (None, 0.35)):
        column = pa.array([p] * len(table), pa.float64())
        drawn = draw(table.set_column(table.column_names.index("slope_p"), "slope_p", column), LABELS)
        bars = {bar.get_label(): bar for bar in drawn.axes[0].containers}
        assert bars["SepaCVAE"].lines[0].get_alpha() == opacity


def test_two_rates_make_no_trend(sweep):
    assert {row["slope_p"] for row in numbers(**sweep).to_pylist()} == {None}


def test_below_each_rate_stands_what_it_came_to(sweep):
    figure = draw(numbers(**sweep), LABELS)
    left, right = figure.axes[-2:]
    assert [text.get_text() for text in left.get_xticklabels()] == ["0\n1.00", "0.5\n2.00"]
    assert [text.get_text() for text in right.get_xticklabels()] == ["0.2\n3.00", "0.6\n4.00"]


def test_a_baseline_is_drawn_only_where_it_informs_and_the_legend_is_in_the_order_of_the_systems(sweep):
    figure = draw(numbers(**sweep), LABELS)
    kl = figure.axes[2 * list(PANELS).index("kl")]
    assert kl.get_legend_handles_labels()[1] == ["SepaCVAE"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(LABELS.values())


def test_a_sweep_of_one_rate_is_one_column(sweep):
    figure = draw(numbers(["many_to_one"], [0.2], sweep["points"][1:2]), LABELS)
    assert len(figure.axes) == len(PANELS)


def test_the_same_sweep_gives_the_same_bytes(sweep, tmp_path):
    for name in ("first", "second"):
        files = {kind: tmp_path / f"{name}.{kind}" for kind in ("svg", "png", "csv")}
        plot(**sweep, systems=list(LABELS), labels=list(LABELS.values()), **files)
    for kind in ("svg", "png", "csv"):
        assert (tmp_path / f"first.{kind}").read_bytes() == (tmp_path / f"second.{kind}").read_bytes()


def test_a_file_that_is_no_point_is_an_error_that_names_it(tmp_path):
    write_parquet(tmp_path / "other.parquet", pa.table({"corpus": ["a"]}), pa.schema([("corpus", pa.string())]))
    with pytest.raises(PipelineError, match="'responses_per_context' is missing") as error:
        numbers(["one_to_many"], [0.0], [tmp_path / "other.parquet"])
    assert "other.parquet" in str(error.value)
