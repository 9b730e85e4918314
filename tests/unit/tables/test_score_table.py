"""Tables of scores, from made-up scores whose means and spreads can be worked out by hand."""

import csv
import math

import pyarrow as pa
import pytest

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import ScoreTable
from pipeline_lib.config.significance import Significance
from pipeline_lib.config.systems import SystemSettings
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.scores import SCORES
from pipeline_lib.schemas.significance import SIGNIFICANCE
from pipeline_lib.tables.cells import over_seeds
from pipeline_lib.tables.files import read_table, write_table
from pipeline_lib.tables.latex import latex
from pipeline_lib.tables.markdown import markdown
from pipeline_lib.tables.published import Published, PublishedValue
from pipeline_lib.tables.scores import make
from unit.tables.table_fixtures import baseline, published, trained

SYSTEMS = {"seq2seq": trained("Seq2Seq"), "sepacvae": trained("SepaCVAE"), "random": baseline("Random response")}
LAYOUT = Layout(corpora={"dd": "DailyDialog"}, systems=SYSTEMS, seeds=[1, 2])
ONE_SEED = LAYOUT.model_copy(update={"seeds": [1]})
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


def lead_over(other, p=0.001, between="systems", metric="coherence", **changes):
    """One comparison of the best system with another."""
    row = {"corpus": "dd", "split": "validation", "metric": metric, "best": "sepacvae", "other": other}
    row |= {"runner_up": other == "seq2seq", "difference": 0.1, "runs": 2, "se_runs": 0.01, "se_items": 0.01}
    return row | {"freedom": 2.0, "p": p, "between": between, "n": 10, "method": f"test of {between}"} | changes


def leads(*rows):
    return pa.Table.from_pylist(list(rows), SIGNIFICANCE)


@pytest.fixture
def make_table(tmp_path):
    """Make a table of scores, with the options of `ScoreTable` as keywords."""

    def made(scored=None, tested=None, layout=LAYOUT, printed=None, **options):
        write_parquet(tmp_path / "scores.parquet", scores() if scored is None else scored, SCORES)
        write_parquet(
            tmp_path / "significance.parquet", leads(lead_over("seq2seq")) if tested is None else tested, SIGNIFICANCE
        )
        plain = {"title": "Responses", "number": "2", "splits": ["validation"], "columns": COLUMNS, "extra": ["kl"]}
        spec = ScoreTable.model_validate({"kind": "scores"} | plain | options)
        files = [tmp_path / "scores.parquet"], [tmp_path / "significance.parquet"], []
        return make("table2", spec, layout, *files, Significance(), printed or published())

    return made


@pytest.fixture
def table(make_table):
    return make_table()


def save(table, folder):
    """The CSV of a table as records, and its JSON read back."""
    paths = [folder / f"{table.name}.{kind}" for kind in ("csv", "md", "tex", "json")]
    write_table(table, *paths)
    with open(paths[0], newline="") as file:
        return list(csv.DictReader(file)), read_table(paths[3])


def test_a_cell_holds_mean_spread_interval_published_value_and_difference(table):
    cell = next(row for row in table.rows if row.system == "seq2seq").cells["ppl"]
    assert (cell.mean, cell.n, cell.published.value) == (41.5, 2, 42.9)
    assert cell.sd == pytest.approx(math.sqrt(0.5))
    assert cell.high - cell.mean == pytest.approx(12.7062 * math.sqrt(0.5) / math.sqrt(2), rel=1e-4)  # t, 1 degree
    assert cell.difference == pytest.approx(-1.4)


def test_one_seed_has_no_spread_and_no_interval():
    cell = over_seeds([0.5])
    assert (cell.mean, cell.sd, cell.low, cell.n) == (0.5, None, None, 1)


def test_a_row_whose_pretrained_weights_were_drawn_says_so_and_has_no_difference(make_table, tmp_path):
    drawn = [score("seq2seq", seed, "apart-random", 1.0) for seed in (1, 2)]
    table = make_table(scored=scores(drawn))
    row = next(row for row in table.rows if row.system == "seq2seq")
    assert row.label == "Seq2Seq (random initialisation)"
    assert row.cells["ppl"].published == PublishedValue(None, "42.9±0.18")
    assert row.cells["ppl"].difference is None
    [note] = [note for note in table.notes if note.startswith("(random initialisation)")]
    assert "not compared" in note
    records, _ = save(table, tmp_path)
    own = next(record for record in records if record["label"] == "Seq2Seq (random initialisation)")
    assert {value for name, value in own.items() if "difference" in name} == {""}


def test_weights_that_saw_one_of_two_corpora_are_marked_on_that_one_alone(make_table):
    both = ["dd", "os"]
    rows = [row | {"corpus": corpus} for corpus in both for row in scores().to_pylist()]
    rows += [score("seq2seq", seed, "apart-seen", 1.0) for seed in (1, 2)]
    layout = LAYOUT.model_copy(update={"corpora": {"dd": "DailyDialog", "os": "OpenSubtitles"}})
    table = make_table(scored=pa.Table.from_pylist(rows, SCORES), layout=layout)
    seen, other = (row for row in table.rows if row.system == "seq2seq")
    assert (seen.label, other.label) == ("Seq2Seq (saw this corpus)", "Seq2Seq")
    assert seen.cells["ppl"].difference is None
    assert seen.cells["ppl"].published.text == "42.9±0.18"
    assert other.cells["ppl"].difference == pytest.approx(41.5 - other.cells["ppl"].published.value)


def test_the_published_value_is_beside_the_oracle_on_validation(table):
    oracle, rule = (row for row in table.rows if row.system == "sepacvae")
    assert (oracle.label, rule.label) == ("SepaCVAE (oracle)", "SepaCVAE (test rule)")
    assert oracle.cells["ppl"].published.value == 9.8
    assert rule.cells["ppl"].published is None


def test_the_oracle_is_never_marked_best_and_a_significant_lead_has_a_dagger(table, make_table):
    text = markdown(table)
    oracle = next(line for line in text.splitlines() if "(oracle)" in line and line.startswith("|"))
    rule = next(line for line in text.splitlines() if "(test rule)" in line)
    assert "**" not in oracle
    assert rule.count("**0.400±0.000**†") == 1
    plain = markdown(make_table(tested=leads(lead_over("seq2seq", p=0.06))))
    assert "**0.400±0.000**" in plain
    assert "**†" not in plain


def test_a_lead_must_pass_against_every_other_system_and_over_all_columns(make_table):
    def mark(*rows):
        return make_table(tested=leads(*rows)).rows[2].cells["coherence"].lead

    assert mark(lead_over("seq2seq", p=0.03)) == "systems"
    assert mark(lead_over("seq2seq", p=0.03), lead_over("another", p=0.06)) == "best"  # not of the runner-up alone
    assert mark(lead_over("seq2seq", p=0.03), lead_over("seq2seq", p=0.9, metric="BLEU-1")) == "best"  # two columns
    assert mark(lead_over("seq2seq", p=0.03), lead_over("seq2seq", p=0.9, corpus="other")) == "best"  # of any corpus


def test_a_lead_between_trained_models_has_a_mark_of_its_own_and_says_so(make_table):
    table = make_table(tested=leads(lead_over("seq2seq", between="models")), layout=ONE_SEED)
    assert table.rows[2].cells["coherence"].lead == "models"
    text = markdown(table)
    assert "**0.400±0.000**◇" in text
    assert "†" not in "".join(line for line in text.splitlines() if line.startswith("|"))
    assert "- ◇: significantly better than every other system compared, between these trained models alone" in text
    assert "There is one run of each system, so no difference is called one between systems (†)." in text
    assert r"\textbf{0.400$\pm$0.000}$^\diamond$" in latex(table)


def test_the_note_on_daggers_names_the_test_and_its_family(make_table):
    rows = lead_over("seq2seq"), lead_over("seq2seq", metric="BLEU-1"), lead_over("another")
    [note] = [note for note in make_table(tested=leads(*rows)).notes if note.startswith("†: ")]
    assert "with other training runs and other items taken into account" in note
    assert (
        "(test of systems; Holm over all 2 columns of this table that are tested, each corpus counted, level 0.05)"
        in note
    )


def test_a_table_without_tests_explains_no_marks(make_table):
    notes = make_table(tested=SIGNIFICANCE.empty_table()).notes
    assert not [note for note in notes if "Bold" in note or "†" in note or "◇" in note]


def test_responses_that_were_not_trained_here_are_named_beside_the_daggers(make_table):
    systems = SYSTEMS | {"seq2seq": SystemSettings(label="From a file", responses="{corpus}/{split}.txt")}
    notes = make_table(layout=LAYOUT.model_copy(update={"systems": systems})).notes
    assert any("without a spread of trainings: From a file." in note for note in notes)


def test_the_interval_of_a_cell_has_the_error_over_items_in_it(make_table):
    limits = {"low": 0.3, "high": 0.5}  # of the items, in each run
    runs = [score("sepacvae", seed, "coherence", 0.4, sel) | limits for seed in (1, 2) for sel in ("oracle", "context")]
    others = [row for row in scores().to_pylist() if (row["system"], row["metric"]) != ("sepacvae", "coherence")]
    cell = make_table(pa.Table.from_pylist([*others, *runs], SCORES)).rows[1].cells["coherence"]
    assert (cell.low, cell.high) == (pytest.approx(0.3), pytest.approx(0.5))  # these runs do not differ


def test_collapsed_runs_and_undefined_cells_are_shown(table):
    text = markdown(table)
    assert "SepaCVAE (test rule) ‡2" in text
    random = next(line for line in text.splitlines() if "Random" in line)
    assert "–" in random
    assert "‡n: posterior collapsed (KL < 0.1 nat) in n runs." in text


def test_a_missing_seed_is_an_error_that_names_it(make_table):
    rows = [row for row in scores().to_pylist() if (row["system"], row["seed"]) != ("seq2seq", 2)]
    with pytest.raises(PipelineError) as error:
        make_table(pa.Table.from_pylist(rows, SCORES))
    assert "Seq2Seq has seeds [1]" in error.value.problem
    assert "seeds [1, 2]" in error.value.expected
    assert "seq2seq" in error.value.where


def test_a_metric_defined_for_some_seeds_only_is_an_error(make_table):
    rows = scores().to_pylist()
    next(r for r in rows if (r["system"], r["seed"], r["metric"]) == ("seq2seq", 2, "coherence"))["value"] = None
    with pytest.raises(PipelineError, match=r"undefined for seeds \[2\]"):
        make_table(pa.Table.from_pylist(rows, SCORES))


@pytest.mark.parametrize("column", ["Bleu-1", "BLEU-2"])
def test_an_unknown_column_or_one_without_scores_is_an_error_that_names_the_nearest(make_table, column):
    with pytest.raises(PipelineError) as error:
        make_table(columns=[column])
    assert "'BLEU-1'" in error.value.expected
    assert error.value.remedy


def test_scores_under_two_settings_are_not_put_in_one_column(make_table):
    rows = scores().to_pylist()
    next(r for r in rows if (r["system"], r["metric"]) == ("seq2seq", "coherence"))["signature"] = "coherence|v:2"
    with pytest.raises(PipelineError, match="two settings"):
        make_table(pa.Table.from_pylist(rows, SCORES))


def test_an_extra_column_that_no_row_has_is_left_out(make_table):
    names = [("seq2seq", "none"), ("sepacvae", "oracle"), ("random", "none")]
    for value, expected in ((0.5, ["kl", "ARI"]), (None, ["kl"])):
        more = [score(s, k, "ARI", value if s == "sepacvae" else None, sel) for s, sel in names for k in (1, 2)]
        assert [column.name for column in make_table(scores(more), extra=["kl", "ARI"]).extra] == expected


def test_the_csv_has_nine_columns_per_value_and_no_rounding(tmp_path, table):
    rows, _ = save(table, tmp_path)
    assert [row["label"] for row in rows] == [row.label for row in table.rows]
    assert float(rows[0]["ppl difference"]) == pytest.approx(41.5 - 42.9)
    assert rows[-1]["ppl"] == ""
    parts = ("", " sd", " n", " low", " high", " published", " difference", " lead", " p")
    assert {f"coherence{part}" for part in parts} <= set(rows[0])
    assert [row["ppl lead"] for row in rows] == [row.cells["ppl"].lead for row in table.rows]
    assert [int(row["collapsed"]) for row in rows] == [row.caveats.get("collapsed", 0) for row in table.rows]


def test_markdown_columns_line_up(table):
    lines = [line for line in markdown(table).splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines[: len(table.rows)]}) == 1


def test_latex_escapes_what_tex_would_read_as_markup(table):
    text = latex(table)
    assert r"\toprule" in text
    assert r"coherence\textbar{}v:1" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 2
    assert not set("±†◇‡–") & set(text)
    for line in text.splitlines():
        assert line.replace(r"\{", "").count("{") == line.replace(r"\}", "").count("}") or r"\textbackslash" in line
    body = [line for line in text.splitlines() if line.endswith(r"\\") and " & " in line]
    assert {line.count(" & ") for line in body} == {len(COLUMNS), 1}


def test_the_json_is_the_whole_table(tmp_path, table, make_table):
    """Whatever reads the JSON has every cell, mark, note and signature; two runs write the same bytes."""
    _, again = save(table, tmp_path)
    assert again == table
    assert (again.heading, again.kind, again.version) == ("Table 2. Responses", "scores", 2)
    assert again.columns[0].signatures == {"DailyDialog": "ppl|v:1"}
    first = (tmp_path / "table2.json").read_bytes()
    save(make_table(), tmp_path)
    assert (tmp_path / "table2.json").read_bytes() == first
    (tmp_path / "table2.json").write_text('{"version": 1}')
    with pytest.raises(PipelineError) as error:
        read_table(tmp_path / "table2.json")
    assert error.value.remedy


def test_title_number_caption_and_notes_are_those_that_the_paper_declares(make_table):
    table = make_table(title="Some | title", number="7", caption="Said *so*.", notes=["A note of the paper's."])
    assert (table.heading, table.caption) == ("Table 7. Some | title", "Said *so*.")
    assert markdown(table).startswith("# Table 7. Some \\| title\n")
    assert "- A note of the paper's." in markdown(table)
    own = make_table(number=None)
    assert markdown(own).startswith("# Responses\n")
    assert all(cell.published is None for row in own.rows for cell in row.cells.values())


def test_notes_on_published_values_are_left_out_where_the_paper_has_none_of_this_corpus(make_table):
    assert "Printed in 2021." in make_table(published_notes=["Printed in 2021."]).notes
    unknown = make_table(
        published_notes=["Printed in 2021."], layout=LAYOUT.model_copy(update={"corpora": {"dd": "Own"}})
    )
    assert not [note for note in unknown.notes if "Printed" in note or "published" in note]


def test_values_of_the_corpus_that_another_stands_for_are_shown_and_not_subtracted(make_table):
    own, there = {"corpora": {"dd": "Own"}}, {"stands_for": {"dd": LAYOUT.corpora["dd"]}}
    published, beside = (make_table(layout=LAYOUT.model_copy(update=update)) for update in ({}, own | there))
    pairs = [
        (row.cells[name].published, other.cells[name])
        for row, other in zip(published.rows, beside.rows, strict=True)
        for name in row.cells
        if row.cells[name].published
    ]
    assert pairs
    assert all(cell.published.text == printed.text and cell.difference is None for printed, cell in pairs)
    assert [note for note in beside.notes if note.startswith("Published values beside Own are of")]


def test_a_paper_may_call_rows_and_columns_by_other_names(make_table):
    own = LAYOUT.model_copy(update={"systems": {"ours": trained("Ours")}, "seeds": [1]})
    rows = [score("ours", 1, metric, 0.5) for metric in COLUMNS]
    named = {"columns": COLUMNS, "extra": [], "as": {"ours": "Seq2Seq", "coherence": "BLEU-1"}}
    cells = make_table(pa.Table.from_pylist(rows, SCORES), layout=own, **named).rows[0].cells
    assert cells["ppl"].published.value == 42.9  # of Seq2Seq
    assert cells["coherence"].published.value == 0.386  # its BLEU-1


SENTENCES = Layout(
    corpora={"ptb": "PTB"}, systems={"rnnlm": trained("RNNLM"), "true": baseline("true NLL")}, seeds=[1, 2]
)


def nats(split, system, seed, value):
    known = {"nll-bound": value, "kl": None, "ppl-bound": None if value is None else math.exp(value / 20)}
    return [score(system, seed, m, v, split=split) | {"corpus": "ptb"} for m, v in known.items()]


def side_by_side(make_table, **options):
    rows = [row for k in (1, 2) for row in nats("train", "rnnlm", k, 100.0 + k) + nats("test", "rnnlm", k, 110.0 + k)]
    rows += [row for split, value in (("train", 98.0), ("test", 99.0)) for row in nats(split, "true", 1, value)]
    places = {("2", "PTB", "train", "RNNLM", "NLL"): 100.0, ("2", "PTB", "test", "RNNLM", "NLL"): 105.0}
    printed = {place: PublishedValue(value, f"{value:g}") for place, value in places.items()}
    printed["2", "PTB", "test", "RNNLM", "ppl"] = PublishedValue(None, ">600")
    plain = {"splits": ["train", "test"], "columns": ["nll-bound", "ppl-bound"], "extra": ["kl"]}
    plain |= {"as": {"nll-bound": "NLL", "ppl-bound": "ppl"}}
    scored = pa.Table.from_pylist(rows, SCORES)
    tested = [
        lead_over("other", p, metric="nll-bound", corpus="ptb", split=split, best="rnnlm")
        for split, p in (("train", 0.5), ("test", 0.001))
    ]
    return make_table(scored, leads(*tested), SENTENCES, Published(printed), **plain | options)


def test_several_splits_stand_side_by_side_each_with_its_own_published_value_and_test(make_table, tmp_path):
    table = side_by_side(make_table)
    assert [c.name for c in table.columns] == ["train nll-bound", "train ppl-bound", "test nll-bound", "test ppl-bound"]
    rnnlm = table.rows[0].cells
    assert (rnnlm["train nll-bound"].mean, rnnlm["test nll-bound"].mean) == (101.5, 111.5)
    assert (rnnlm["train nll-bound"].difference, rnnlm["test nll-bound"].difference) == (1.5, 6.5)
    assert (rnnlm["train nll-bound"].lead, rnnlm["test nll-bound"].lead) == ("best", "systems")
    assert table.extra == []  # no row has a KL
    records, again = save(table, tmp_path)
    assert float(records[0]["test nll-bound published"]) == 105.0
    assert again == table
    header = next(line for line in markdown(table).splitlines() if line.startswith("| System"))
    assert [cell.strip() for cell in header.strip("|").split("|")][1:] == [column.name for column in table.columns]


def test_a_bound_that_the_paper_prints_is_shown_and_nothing_is_subtracted_from_it(make_table, tmp_path):
    table = side_by_side(make_table)
    cell = table.rows[0].cells["test ppl-bound"]
    assert (cell.published.text, cell.difference) == (">600", None)
    assert "\\>600" in markdown(table) or ">600" in markdown(table)
    assert r"\textgreater{}600" in latex(table)
    records, again = save(table, tmp_path)
    assert (records[0]["test ppl-bound published"], records[0]["test ppl-bound difference"]) == (">600", "")
    assert again.rows[0].cells["test ppl-bound"].published.text == ">600"


def test_a_reference_row_of_exact_values_shows_those_and_a_dash_elsewhere(make_table):
    """A floor has one run, whatever the seeds, and a value in the columns that it defines."""
    table = side_by_side(make_table)
    row = table.rows[1]
    assert (row.label, row.cells["test nll-bound"].mean, row.cells["test nll-bound"].sd) == ("true NLL", 99.0, None)
    only = side_by_side(make_table, columns=["kl", "nll-bound"], extra=[])
    line = next(line for line in markdown(only).splitlines() if line.startswith("| true NLL"))
    assert [cell.strip() for cell in line.strip("|").split("|")] == ["true NLL", "–", "98.0", "–", "99.0"]


def test_the_note_of_a_system_is_printed_below_the_table_that_has_its_row(make_table):
    noted = SYSTEMS["random"].model_copy(update={"note": "Random: drawn from training."})
    layout = LAYOUT.model_copy(update={"systems": SYSTEMS | {"random": noted}})
    assert "- Random: drawn from training." in markdown(make_table(layout=layout)).splitlines()
    assert "Random: drawn" not in markdown(make_table())
