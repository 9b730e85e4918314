"""The paper's tables, from made-up scores whose means and spreads can be worked out by hand."""

import csv
import math

import pyarrow as pa
import pytest
from pipeline_lib.config.tables import Tables

from pipeline_lib.config.systems import SystemSettings
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_json, write_parquet
from pipeline_lib.schemas.scores import SCORES
from pipeline_lib.schemas.significance import SIGNIFICANCE
from pipeline_lib.tables.cells import Layout, over_seeds
from pipeline_lib.tables.counts import corpus_table
from pipeline_lib.tables.files import long_form, write_long_form
from pipeline_lib.tables.published import published
from pipeline_lib.tables.scores import build, system_table
from pipeline_lib.tables.text import latex, markdown

SYSTEMS = {
    "seq2seq": SystemSettings(label="Seq2Seq", model="m:Seq2Seq"),
    "sepacvae": SystemSettings(label="SepaCVAE", model="m:SepaCVAE"),
    "random": SystemSettings(label="Random response", model="baseline:random"),
}
LAYOUT = Layout(corpora={"dd": "DailyDialog"}, systems=SYSTEMS, seeds=[1, 2])
COLUMNS = ["ppl", "BLEU-1", "coherence"]


def score(system, seed, metric, value, selection="none", split="validation", signature=None):
    identity = {"corpus": "dd", "split": split, "system": system, "seed": seed, "selection": selection}
    counts = {"n": 10, "n_empty": 0, "n_oov": 0, "signature": signature or f"{metric}|v:1"}
    return identity | counts | {"metric": metric, "value": value, "low": None, "high": None}


def scores(changes=()):
    rows = [score("random", 1, metric, 0.1) for metric in COLUMNS[1:]] + [score("random", 1, "ppl", None)]
    for seed in (1, 2):
        rows += [score("seq2seq", seed, "ppl", 40.0 + seed), score("seq2seq", seed, "kl", None)]
        rows += [score("seq2seq", seed, metric, 0.3 + seed / 100) for metric in COLUMNS[1:]]
        for selection in ("oracle", "context"):
            rows += [score("sepacvae", seed, "ppl", 10.0, selection), score("sepacvae", seed, "kl", 0.05, selection)]
            rows += [score("sepacvae", seed, metric, 0.4, selection) for metric in COLUMNS[1:]]
    return pa.Table.from_pylist([*rows, *changes], SCORES)


def lead(metric="coherence", significant=True):
    row = {"corpus": "dd", "split": "validation", "metric": metric, "best": "sepacvae", "other": "seq2seq"}
    row |= {"runner_up": True, "difference": 0.1, "p": 0.001, "p_adjusted": 0.002, "significant": significant}
    return pa.Table.from_pylist(
        [row | {"n": 10, "method": "randomisation, 100 trials, Holm, level 0.05"}], SIGNIFICANCE
    )


@pytest.fixture
def table():
    return system_table("table2", scores(), lead(), LAYOUT, COLUMNS, ["kl"])


def test_a_cell_holds_mean_spread_interval_published_value_and_difference(table):
    cell = next(row for row in table.rows if row.system == "seq2seq").cells["ppl"]
    assert (cell.mean, cell.n, cell.published.value) == (41.5, 2, 42.9)
    assert cell.sd == pytest.approx(math.sqrt(0.5))
    assert cell.high - cell.mean == pytest.approx(12.7062 * math.sqrt(0.5) / math.sqrt(2), rel=1e-4)  # t, 1 degree
    assert cell.difference == pytest.approx(-1.4)


def test_one_seed_has_no_spread_and_no_interval():
    cell = over_seeds([0.5])
    assert (cell.mean, cell.sd, cell.low, cell.n) == (0.5, None, None, 1)


def test_the_published_figure_stands_beside_the_oracle_on_validation(table):
    oracle, rule = (row for row in table.rows if row.system == "sepacvae")
    assert (oracle.label, rule.label) == ("SepaCVAE (oracle)", "SepaCVAE (test rule)")
    assert oracle.cells["ppl"].published.value == 9.8
    assert rule.cells["ppl"].published is None


def test_the_oracle_is_never_marked_best_and_the_real_lead_has_a_dagger(table):
    text = markdown(table, 3)
    oracle = next(line for line in text.splitlines() if "(oracle)" in line and line.startswith("|"))
    rule = next(line for line in text.splitlines() if "(test rule)" in line)
    assert "**" not in oracle
    assert rule.count("**0.400±0.000**†") == 1
    plain = markdown(system_table("table2", scores(), lead(significant=False), LAYOUT, COLUMNS, []), 3)
    assert "**0.400±0.000**" in plain
    assert "**†" not in plain


def test_collapsed_runs_and_undefined_cells_are_shown(table):
    text = markdown(table, 3)
    assert "SepaCVAE (test rule) ‡2" in text
    random = next(line for line in text.splitlines() if "Random" in line)
    assert "–" in random
    assert "‡ Collapsed" in text


def test_a_missing_seed_is_an_error_that_names_it():
    rows = [row for row in scores().to_pylist() if (row["system"], row["seed"]) != ("seq2seq", 2)]
    with pytest.raises(PipelineError) as error:
        system_table("table2", pa.Table.from_pylist(rows, SCORES), lead(), LAYOUT, COLUMNS, [])
    assert "Seq2Seq has seeds [1]" in error.value.problem
    assert "seeds [1, 2]" in error.value.expected
    assert "seq2seq" in error.value.where


def test_a_metric_defined_for_some_seeds_only_is_an_error():
    rows = scores().to_pylist()
    next(r for r in rows if (r["system"], r["seed"], r["metric"]) == ("seq2seq", 2, "coherence"))["value"] = None
    with pytest.raises(PipelineError, match=r"undefined for seeds \[2\]"):
        system_table("table2", pa.Table.from_pylist(rows, SCORES), lead(), LAYOUT, COLUMNS, [])


def test_an_unknown_column_is_an_error_that_names_the_nearest():
    with pytest.raises(PipelineError) as error:
        system_table("table2", scores(), lead(), LAYOUT, ["Bleu-1"], [])
    assert "'BLEU-1'" in error.value.expected


def test_scores_under_two_settings_are_not_put_in_one_column():
    rows = scores().to_pylist()
    next(r for r in rows if (r["system"], r["metric"]) == ("seq2seq", "coherence"))["signature"] = "coherence|v:2"
    with pytest.raises(PipelineError, match="two settings"):
        system_table("table2", pa.Table.from_pylist(rows, SCORES), lead(), LAYOUT, COLUMNS, [])


def test_group_recovery_appears_only_where_a_corpus_has_groups():
    more = [
        score(s, k, "ARI", 0.5 if s == "sepacvae" else None, sel)
        for s, k, sel in [
            ("seq2seq", 1, "none"),
            ("seq2seq", 2, "none"),
            ("sepacvae", 1, "oracle"),
            ("sepacvae", 2, "oracle"),
        ]
    ]
    assert system_table("table2", scores(more), lead(), LAYOUT, COLUMNS, []).extra == ["ARI"]
    assert system_table("table2", scores(), lead(), LAYOUT, COLUMNS, []).extra == []


def test_the_csv_has_eight_columns_per_figure_and_no_rounding(tmp_path, table):
    write_long_form(tmp_path / "table2.csv", table)
    with open(tmp_path / "table2.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [row.label for row in table.rows]
    assert float(rows[0]["ppl difference"]) == pytest.approx(41.5 - 42.9)
    assert rows[-1]["ppl"] == ""
    parts = ("", " sd", " n", " low", " high", " published", " difference", " lead")
    assert {f"coherence{part}" for part in parts} <= set(rows[0])
    assert [row["ppl lead"] for row in rows] == [row.cells["ppl"].lead for row in table.rows]
    assert [int(row["collapsed"]) for row in rows] == [row.collapsed for row in table.rows]


def test_markdown_columns_line_up(table):
    lines = [line for line in markdown(table, 3).splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines[: len(table.rows)]}) == 1


def test_latex_escapes_what_tex_would_read_as_markup(table):
    text = latex(table, 3)
    assert r"\toprule" in text
    assert r"coherence\textbar{}v:1" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 2
    assert not set("±†‡–") & set(text)
    for line in text.splitlines():
        assert line.replace(r"\{", "").count("{") == line.replace(r"\}", "").count("}") or r"\textbackslash" in line
    body = [line for line in text.splitlines() if line.endswith(r"\\") and " & " in line]
    assert {line.count(" & ") for line in body} == {len(COLUMNS), 1}


def counts(**changes):
    split = {
        "examples": 10,
        "one_to_many_contexts": 3,
        "most_responses": 4,
        "many_to_one_responses": 2,
        "most_contexts": 5,
    }
    return {
        "corpus": "dd",
        "vocabulary": 10_100,
        "splits": {s: split for s in ("train", "validation", "test")},
    } | changes


def test_table_1_sets_our_counts_beside_the_published_ones():
    table = corpus_table({"dd": counts()}, {"dd": "DailyDialog"})
    row = long_form(table).to_pylist()[0]
    assert (row["vocabulary"], row["vocabulary published"], row["vocabulary difference"]) == (10_100, 10_064, 36)
    assert row["contexts with several responses published"] == 408
    assert row["most contexts of one response published"] is None
    text = markdown(table, 3)
    assert "| vocabulary" in text
    assert "+36" in text


def test_a_missing_count_is_an_error(tmp_path):
    write_json(tmp_path / "counts.json", counts(splits={}))
    with pytest.raises(PipelineError, match=r"no count 'splits\.train\.examples'"):
        build("table1", [], [], [tmp_path / "counts.json"], LAYOUT, Tables())


def test_build_reads_what_the_stages_wrote(tmp_path):
    write_parquet(tmp_path / "scores.parquet", scores(), SCORES)
    write_parquet(tmp_path / "significance.parquet", lead(), SIGNIFICANCE)
    settings = Tables(table2=COLUMNS, extra=[])
    table = build("table2", [tmp_path / "scores.parquet"], [tmp_path / "significance.parquet"], [], LAYOUT, settings)
    assert table.rows[0].label == "Seq2Seq"
    with pytest.raises(PipelineError) as error:
        build("tabel2", [], [], [], LAYOUT, settings)
    assert "'table2'" in error.value.expected


def test_published_figures_are_found_by_their_place_and_never_contradict_each_other():
    from importlib.resources import files

    figure = published("SepaCVAE", "3", "DailyDialog", "test", "SepaCVAE", "BLEU-2")
    assert (figure.value, figure.text) == (0.409, "0.409±0.01")
    assert published("SepaCVAE", "3", "DailyDialog", "test", "SepaCVAE", "no such column") is None
    rows = list(csv.reader(files("pipeline_lib").joinpath("published/published.csv").read_text().splitlines()))
    seen = {}
    for *place, value, sd in rows[1:]:
        assert seen.setdefault(tuple(place), (value, sd)) == (value, sd)
