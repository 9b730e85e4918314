"""Tables of scores that are compared with their first row, from scores and responses that can be worked out by hand."""

import csv

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import ttest_ind

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import ScoreTable
from pipeline_lib.config.significance import Significance
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet, write_parquet
from pipeline_lib.metrics.items import Items
from pipeline_lib.schemas.items import parts_of
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.schemas.scores import SCORES
from pipeline_lib.significance.comparisons import compare_with
from pipeline_lib.significance.draws import Resamples, Swaps
from pipeline_lib.significance.outputs import Outputs, read_outputs
from pipeline_lib.tables.files import read_table, write_table
from pipeline_lib.tables.latex import latex
from pipeline_lib.tables.markdown import markdown
from pipeline_lib.tables.published import Published
from pipeline_lib.tables.scores import make
from unit.tables.table_fixtures import trained

N = 60
SYSTEMS = {
    "sepacvae": trained("SepaCVAE", groups=4),
    "better": trained("better", groups=4, classifier=True),
    "same": trained("no_classifier", groups=4, classifier=False).model_copy(
        update={"training": {"annealing": {"steps": 9}}}
    ),
}
LAYOUT = Layout(corpora={"dd": "DailyDialog"}, systems=SYSTEMS, seeds=[1, 2])
SPEC = ScoreTable(
    kind="scores",
    title="One thing changed",
    splits=["test"],
    beside="first row",
    columns=["BLEU-1", "length"],
    extra=["ppl-bound", "kl", "active-units", "largest-group", "ARI", "oracle BLEU-1", "oracle largest-group"],
)
BLEU = {"sepacvae": 0.3, "better": 0.5, "same": 0.3}
KL = {"sepacvae": 2.0, "better": 2.0, "same": 0.05}


def responses(system, split, seed):
    """N responses; on validation each twice, the oracle's a tenth better; half of the items in group 0."""
    wobble = np.random.default_rng(seed).normal(0, 0.01, N)  # the same for every system
    tables = []
    for selection in ("context", "oracle") if split == "validation" else ("context",):
        bleu = BLEU[system] + wobble + (0.1 if selection == "oracle" else 0)
        likelihood = {"nll": 10.0, "kl": KL[system], "bound": 10.0 + KL[system], "nll_importance": 10.0}
        rows = [
            {
                "example_id": i,
                "sample": 0,
                "selection": selection,
                "context": "how are you ?",
                "reference": "fine , thanks .",
                "response": f"w{i % 7} w{i % 5}",
                "group": 0 if i < N // 2 else 1 + i % 3,
                "label": None,
                "tokens": 5,
            }
            | likelihood
            for i in range(N)
        ]
        table = pa.Table.from_pylist(rows, RESPONSES)
        columns = {
            "BLEU-1": pa.array(bleu),
            "length": pa.array(np.full(N, 2.0)),
            parts_of("ppl-bound"): pa.array([[likelihood["bound"], 5.0]] * N),
        }
        for name, values in columns.items():
            table = table.append_column(name, values)
        tables.append(table)
    return pa.concat_tables(tables)


def scores(system, split, seed, table):
    rows = []
    for selection in sorted(set(table["selection"].to_pylist())):
        own = table.filter(pa.compute.equal(table["selection"], selection))
        values = {name: float(np.mean(own[name].to_numpy())) for name in ("BLEU-1", "length", "kl")}
        values |= {"active-units": 3.0, "ppl-bound": float(np.exp(own["bound"].to_numpy().mean() / 5)), "ARI": None}
        values["largest-group"] = 0.5
        identity = {"corpus": "dd", "split": split, "system": system, "seed": seed, "selection": selection}
        counts = {"n": N, "n_empty": 0, "n_oov": 0, "low": None, "high": None}
        rows += [
            identity | counts | {"metric": metric, "value": value, "signature": f"{metric}|v:1"}
            for metric, value in values.items()
        ]
    return pa.Table.from_pylist(rows, SCORES)


@pytest.fixture
def files(tmp_path):
    scored, items = [], []
    for system in SYSTEMS:
        for split in ("validation", "test"):
            for seed in (1, 2):
                about = {"corpus": "dd", "split": split, "system": system, "seed": str(seed)}
                table = responses(system, split, seed)
                items.append(tmp_path / f"items-{system}-{split}-{seed}.parquet")
                write_parquet(items[-1], table, table.schema, about)
                scored.append(tmp_path / f"scores-{system}-{split}-{seed}.parquet")
                write_parquet(scored[-1], scores(system, split, seed, table), SCORES)
    return scored, items


def table_of(files):
    scored, items = files
    return make("ablations", SPEC, LAYOUT, scored, [], items, Significance(trials=200), Published({}))


@pytest.fixture
def table(files):
    return table_of(files)


def test_a_difference_is_from_the_first_row_and_says_whether_it_is_significant(table):
    base, better, same = (row.cells["BLEU-1"] for row in table.rows)
    assert base.change is None
    assert (better.change.difference, better.change.significant) == (pytest.approx(0.2), True)
    runs = np.array([np.random.default_rng(seed).normal(0, 0.01, N).mean() for seed in (1, 2)])
    p = ttest_ind(0.5 + runs, 0.3 + runs, equal_var=False).pvalue  # the difference is the same for every item
    assert better.change.p_adjusted == pytest.approx(10 * p)  # two rows in five columns that are tested
    assert better.change.between == "systems"
    assert (same.change.difference, same.change.significant) == (pytest.approx(0), False)


def test_a_row_that_stands_apart_is_compared_with_nothing(files):
    scored, items = files
    for path in scored:
        if "better" in path.name:
            table = read_parquet(path, SCORES)
            marked = table.slice(0, 1).set_column(
                table.schema.get_field_index("metric"), SCORES.field("metric"), pa.array(["apart-random"])
            )
            write_parquet(path, pa.concat_tables([table, marked]), SCORES)
    _, better, same = table_of((scored, items)).rows
    assert better.cells["length"].mean == 2
    assert {cell.change for cell in better.cells.values()} == {None}
    assert same.cells["length"].change is not None


def test_runs_that_do_not_differ_leave_a_mark_between_these_models(table):
    change = table.rows[2].cells["kl"].change
    assert (change.significant, change.between) == (True, "models")
    lines = markdown(table).splitlines()
    same = next(i for i, line in enumerate(lines) if line.startswith("| no\\_classifier") and "0.05" in line)
    assert "−1.95◇" in lines[same + 1]
    assert "no run differs from another in this column" in markdown(table)
    assert r"$^\diamond$" in latex(table)


def test_the_notes_say_what_was_counted_and_corrected(table):
    [note] = [note for note in table.notes if note.startswith("†: ")]
    assert "other training runs and other items" in note
    assert "Welch's t over 2 runs of each system" in note
    assert "Holm over all 10 differences of this table that are tested, level 0.05" in note


def test_of_one_seed_no_difference_has_a_dagger(files, tmp_path):
    one = [[file for file in own if file.name.endswith("-1.parquet")] for own in files]
    layout = Layout(corpora={"dd": "DailyDialog"}, systems=SYSTEMS, seeds=[1])
    table = make("ablations", SPEC, layout, one[0], [], one[1], Significance(trials=200), Published({}))
    assert table.rows[1].cells["BLEU-1"].change.between == "models"
    text = markdown(table)
    assert "+0.200◇" in text
    assert "+0.200†" not in text
    assert "There is one run of each system" in text


def test_the_oracle_column_is_of_validation_and_the_others_are_not(table):
    cells = table.rows[1].cells
    assert cells["oracle BLEU-1"].mean == pytest.approx(cells["BLEU-1"].mean + 0.1)
    assert cells["oracle BLEU-1"].change.difference == pytest.approx(0.2)


def test_a_value_of_the_whole_set_has_a_difference_and_no_test(table):
    cell = table.rows[0].cells["largest-group"]
    assert (cell.mean, cell.sd, cell.n) == (0.5, 0, 2)
    change = table.rows[1].cells["largest-group"].change
    assert (change.difference, change.p_adjusted, change.significant) == (0, None, False)
    assert "no such test: active-units, largest-group." in markdown(table)


def test_columns_that_no_row_has_are_left_out(table):
    assert [column.name for column in table.columns] == ["BLEU-1", "length"]
    assert [column.name for column in table.extra] == [name for name in SPEC.extra if name != "ARI"]
    assert [column.split for column in table.extra][-2:] == ["validation", "validation"]
    assert SPEC.read_splits == ["test", "validation"]


def test_collapsed_runs_are_marked_and_settings_are_told(table):
    text = markdown(table)
    assert "| no\\_classifier ‡2 " in text
    assert "no_classifier: classifier false, training.annealing.steps 9" in text
    lines = text.splitlines()
    better = next(i for i, line in enumerate(lines) if line.startswith("| better"))
    assert "+0.200†" in lines[better + 1]
    assert "| 0.000 |" in lines[better + 3].replace("  ", "")  # no sign of nothing
    assert latex(table).count(r"\begin{tabular}") == latex(table).count(r"\end{tabular}") == 2
    assert r"no\_classifier" in latex(table)


def test_the_csv_holds_every_value_with_its_difference_and_p(table, tmp_path):
    write_table(table, *(tmp_path / f"ablations.{kind}" for kind in ("csv", "md", "tex", "json")))
    assert read_table(tmp_path / "ablations.json") == table
    with open(tmp_path / "ablations.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["system"] for row in rows] == list(SYSTEMS)
    assert rows[0]["BLEU-1 difference"] == rows[0]["BLEU-1 p"] == ""
    assert float(rows[1]["BLEU-1 difference"]) == pytest.approx(0.2)
    assert rows[1]["active-units p"] == ""
    assert [row["BLEU-1 significant"] for row in rows] == ["", "systems", ""]


def test_a_missing_seed_is_an_error_that_names_it(files):
    scored, items = files
    with pytest.raises(PipelineError) as error:
        table_of(([file for file in scored if "better-test-2" not in file.name], items))
    assert error.value.problem == "better has seeds [1]"
    assert error.value.expected == "seeds [1, 2]"
    assert error.value.remedy


def test_the_oracle_is_read_alone_and_only_when_asked(files):
    validation = [file for file in files[1] if "validation" in file.name]
    for oracle, expected in ((False, 0.3), (True, 0.4)):
        outputs = read_outputs(validation, ["sepacvae"], ["BLEU-1"], oracle)[0]
        assert outputs.per_item["BLEU-1"].mean() == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("kind", [Swaps, Resamples])
def test_rows_are_compared_with_the_first_by_the_test_of_scipy(kind):
    from scipy.stats import permutation_test

    rng = np.random.default_rng(3)
    values = {name: rng.normal(mean, 1, 10) for name, mean in (("base", 0.0), ("a", 0.8), ("b", 0.1))}
    items = Items.of([""], ["w"], ["w"])
    outputs = [Outputs(name, np.arange(10), {1: items}, {"coherence": own[None]}) for name, own in values.items()]
    method = "randomisation" if kind is Swaps else "bootstrap"
    found = compare_with(outputs[0], outputs[1:], Significance(trials=20_000, method=method), ["coherence"])
    assert [row.other for row in found] == ["a", "b"]
    assert [row.comparison.difference for row in found] == pytest.approx(
        [(values[name] - values["base"]).mean() for name in ("a", "b")]
    )
    if kind is Swaps:
        for row in found:
            exact = permutation_test(
                (values[row.other], values["base"]),
                lambda x, y, axis: np.mean(x - y, axis=axis),
                permutation_type="samples",
                n_resamples=np.inf,
                vectorized=True,
            ).pvalue
            assert row.comparison.p == pytest.approx(exact, abs=0.012)
