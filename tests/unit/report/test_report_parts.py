"""What goes into the report: tables read as they are, data that no text can break out of, the record of a run."""

import hashlib
import json
import re
import subprocess
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_json, write_text
from pipeline_lib.report.captions import caption_html
from pipeline_lib.report.item_files import item_sets, pack
from pipeline_lib.report.metric_notes import MEANING, metric_notes
from pipeline_lib.report.page import write_page
from pipeline_lib.report.script_data import literal, packed
from pipeline_lib.report.shown_cases import read_cases
from pipeline_lib.report.shown_tables import read_table
from pipeline_lib.runs.manifest import describe
from pipeline_lib.tables.cells import Cell, Row, Table
from pipeline_lib.tables.files import write_long_form
from pipeline_lib.tables.published import PublishedValue
from pipeline_lib.tables.text import markdown
from unit.report.report_fixtures import small_config, small_run


def test_a_table_is_shown_with_the_figures_that_were_written_of_it(tmp_path):
    cell = Cell(0.31, 0.02, 2, 0.2, 0.4, PublishedValue(0.386, "0.386±0.00"), "real")
    row = Row("c", "Corpus", "Sys", {"BLEU-1": cell, "ppl": Cell()}, "sys", "oracle", 1)
    other = Row("c", "Corpus", "Other", {"BLEU-1": Cell(0.2), "ppl": Cell(31.25), "kl": Cell()}, "other", "none")
    row.cells["kl"] = Cell()
    table = Table(
        "table2", "Validation responses", ["BLEU-1"], ["ppl", "kl"], [row, other], ["a | note", "BLEU-1: `BLEU-1|v:1`"]
    )
    write_long_form(tmp_path / "table2.csv", table)
    write_text(tmp_path / "table2.md", markdown(table, 3))
    shown = read_table(tmp_path / "table2.csv", {"c": "Corpus"}, 3)
    assert (shown.title, shown.notes) == ("Table 2. Validation responses", ["a | note"])
    assert shown.signatures == {"BLEU-1": ["BLEU-1|v:1"]}
    assert [(column.name, column.kind) for column in shown.columns] == [("BLEU-1", "figure"), ("ppl", "figure")]
    only = shown.rows[0]
    assert (only["label"], only["corpus_label"], only["collapsed"]) == ("Sys", "Corpus", 1)
    figure = only["cells"]["BLEU-1"]
    assert (figure["mean"], figure["sd"], figure["n"], figure["low"], figure["high"]) == (0.31, 0.02, 2, 0.2, 0.4)
    assert (figure["published"], figure["lead"]) == (0.386, "real")
    assert figure["difference"] == pytest.approx(-0.076)
    assert only["cells"]["ppl"]["mean"] is None
    assert "kl" not in only["cells"]  # a column without a figure says nothing


def test_columns_of_text_and_of_plain_numbers_are_told_apart(tmp_path):
    write_text(tmp_path / "x.csv", 'system,response,examples,seconds\na,"no, <b>",3,1.25\nb,2,4,2.5\n')
    write_text(tmp_path / "x.md", "# Costs\n\n- a note with \\<b\\> and 2 \\* 3\n")
    shown = read_table(tmp_path / "x.csv", {}, 3)
    assert [(c.name, c.kind, c.places) for c in shown.columns] == [
        ("response", "text", 0),
        ("examples", "number", 0),
        ("seconds", "number", 3),
    ]
    assert shown.notes == ["a note with <b> and 2 * 3"]


@pytest.mark.parametrize("text", ["</script>", "<!--", "a\u2028b\u2029c", '"\\\n', "é 字 \U0001f600"])
def test_a_literal_holds_no_markup_and_reads_back_as_the_same_text(text):
    made = literal({"text": [text]})
    assert not set(made) & set("<\u2028\u2029\n")
    assert json.loads(made) == {"text": [text]}


def test_packed_numbers_read_back_and_those_that_do_not_fit_are_refused():
    import base64

    values = np.array([0, 7, 2**31 - 1])
    assert np.frombuffer(base64.b64decode(packed(values, "<i4")), "<i4").tolist() == values.tolist()
    with pytest.raises(ValueError, match="do not fit into <i4"):
        packed(np.array([2**31]), "<i4")


def test_several_responses_to_a_context_are_kept_and_their_figures_averaged(tmp_path):
    from unit.report.report_fixtures import N, responses, write_responses

    table = responses("seq2seq", "none", samples=3)
    made = pack([write_responses(tmp_path, "seq2seq", "test", table)])
    answer = made["answers"][0]
    assert len(answer["responses"]) == 3
    import base64

    held = np.frombuffer(base64.b64decode(answer["metrics"]["BLEU-1"]), "<f4")
    np.testing.assert_allclose(held, table["BLEU-1"].to_numpy().reshape(N, 3).mean(axis=1), rtol=1e-6)
    second = np.frombuffer(base64.b64decode(answer["responses"][1]), "<u4")
    texts = made["texts"].split("\n")
    assert [texts[i] for i in second] == table["response"].to_pylist()[1::3]


def test_no_variant_of_a_metric_that_tables_leave_out_makes_the_page_larger(tmp_path):
    made = pack(small_run(tmp_path).items[:1])
    assert set(made["answers"][0]["metrics"]) == {
        "BLEU-1",
        "BLEU-2",
        "coherence",
        "kl",
        "ppl",
        "ppl-bound",
        "ppl-importance",
    }


def test_every_metric_of_the_default_tables_is_explained():
    from pipeline_lib.config.tables import Tables

    tables = Tables()
    assert {*tables.table2, *tables.table3, *tables.extra} <= set(MEANING)
    assert {note["item"] for note in metric_notes().values()} <= set(MEANING)


def test_a_caption_is_filled_in_and_turned_into_markup_without_scripts(tmp_path):
    write_text(
        tmp_path / "a.rst", "On {{ snakemake.wildcards.corpus }} above {{ snakemake.params.threshold }}: *z* <b>."
    )
    html = caption_html(tmp_path / "a.rst", {"corpus": "here"}, {"threshold": 0.9})
    assert re.sub(r"\s+", " ", html).strip() == "<p>On here above 0.9: <em>z</em> &lt;b&gt;.</p>"


@pytest.mark.parametrize(
    ("text", "problem"),
    [("{{ snakemake.wildcards.nothing }}", "nothing"), ("{% if %}", "Expected"), (".. raw:: html\n\n   <b>", "raw")],
)
def test_a_caption_with_a_fault_is_named(tmp_path, text, problem):
    write_text(tmp_path / "a.rst", text)
    with pytest.raises(PipelineError, match=problem) as caught:
        caption_html(tmp_path / "a.rst", {"corpus": "here"})
    assert caught.value.where.endswith("a.rst")
    assert caught.value.remedy


def test_systems_that_answered_other_contexts_are_named(tmp_path):
    from unit.report.report_fixtures import responses, write_responses

    files = [write_responses(tmp_path, "human", "test", responses("human", "none"))]
    files.append(write_responses(tmp_path, "seq2seq", "test", responses("seq2seq", "none").slice(1)))
    with pytest.raises(PipelineError, match="299 examples, 299 of them in") as caught:
        pack(files)
    assert caught.value.where == str(files[1])
    assert "300" in caught.value.expected
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("figures/embedded/latent_map.png", None, "file not found"),
        ("figures/embedded/latent_map.svg", "<svg></svg>", "damaged"),
        ("tables/table2.md", None, "not readable"),
        ("tables/table2.csv", b"\xff\xfe\x00", "damaged"),
        ("manifest.json", "{", "damaged"),
    ],
)
def test_a_missing_or_damaged_part_is_named_with_what_to_do(tmp_path, name, text, problem):
    contents = small_run(tmp_path)
    if text is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PipelineError, match=problem) as caught:
        write_page(contents, tmp_path / "report/index.html")
    assert name in caught.value.where
    assert caught.value.remedy
    assert not (tmp_path / "report/index.html").exists()


def test_sets_of_items_are_told_apart_by_what_the_files_say(tmp_path):
    sets = item_sets(small_run(tmp_path).items)
    assert [item_set.name for item_set in sorted(sets)] == ["embedded-test-seed1", "embedded-validation-seed1"]
    assert all(len(own) == 3 for own in sets.values())


def test_the_record_of_a_run_names_data_by_checksum_and_reads_back_as_a_configuration(tmp_path):
    write_json(tmp_path / "raw/own/manifest.json", [{"name": "a.csv", "sha256": "f" * 64, "bytes": 1}])
    write_text(tmp_path / "filtered/own/train.parquet", "examples")
    config = small_config()
    made = describe(
        config, {"stage": "0"}, [tmp_path / "raw/own/manifest.json"], [tmp_path / "filtered/own/train.parquet"]
    )
    assert made["data"] == {
        "own": {"raw/own/a.csv": "f" * 64, "filtered/own/train.parquet": hashlib.sha256(b"examples").hexdigest()}
    }
    assert type(config).model_validate(json.loads(json.dumps(made))["config"]) == config
    assert made["packages"]["numpy"] == np.__version__


def test_a_recorded_configuration_has_no_folder_of_this_machine_and_describes_the_same_run():
    values = small_config().model_dump(mode="json")
    values["mirror"] = "/home/someone/data"
    values["sources"]["embedded"]["mirror"] = "/home/someone/other"
    values["sweep"] = {"one_to_many": [0.25], "many_to_one": []}
    from pipeline_lib.config.loading import load
    from pipeline_lib.config.run import Config

    recorded = load(values).recorded()
    assert "someone" not in recorded
    again = Config.model_validate_json(recorded)
    assert list(again.sources) == ["embedded"]
    assert again.systems == load(values).systems


def test_the_record_tells_the_commit_and_whether_files_differ_from_it(tmp_path, monkeypatch):
    from pipeline_lib.runs import manifest

    def git(*arguments):
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        done = subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    monkeypatch.setattr(manifest, "__file__", str(tmp_path / "manifest.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert describe(small_config(), {}, [], [])["revision"] is None
    git("init", "-q")
    write_text(tmp_path / "a", "1")
    git("add", "a")
    git("commit", "-qm", "first")
    made = describe(small_config(), {}, [], [])
    assert (made["revision"], made["modified"]) == (git("rev-parse", "HEAD"), False)
    write_text(tmp_path / "a", "2")
    assert describe(small_config(), {}, [], [])["modified"] is True


def test_the_shipped_library_is_the_one_that_its_readme_names():
    vendor = files("pipeline_lib.report") / "vendor"
    named = dict(re.findall(r"\| `([\w.]+)` \| `[^`]+` \| `([0-9a-f]{64})` \|", (vendor / "README.md").read_text()))
    assert set(named) == {path.name for path in vendor.iterdir() if path.suffix in (".js", ".css")}
    for name, digest in named.items():
        content = (vendor / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
        assert len(content) < 2**20
    assert "MIT License" in (vendor / "LICENSE").read_text()


CASES = """corpus,case,split,context,similarity,example_id,role,system,label,selection,sample,count,text
embedded,1,train,who ?,0.1,1,response,,,,,2,me
embedded,1,train,who ?,0.1,2,response,,,,,1,<b>you</b>
embedded,1,validation,who is it ?,0.9,103,reference,,,,,,it is me
embedded,1,validation,who is it ?,0.9,103,answer,seq2seq,Seq2Seq,none,0,,no
embedded,1,validation,who is it ?,0.9,103,answer,seq2seq,Seq2Seq,none,1,,
embedded,1,test,who <i> ?,0.8,104,reference,,,,,,nobody
embedded,1,test,who <i> ?,0.8,104,answer,seq2seq,Seq2Seq,none,0,,yes
"""


def test_cases_are_shown_with_their_responses_and_the_answers_side_by_side(tmp_path):
    write_text(tmp_path / "table5.csv", CASES)
    case = read_cases(tmp_path / "table5.csv", {"embedded": "Embedded"})[0]
    assert (case.corpus, case.number, case.context, case.responses) == (
        "Embedded",
        1,
        "who ?",
        {"me": 2, "<b>you</b>": 1},
    )
    assert [(near.split, near.text, near.similarity) for near in case.near] == [
        ("validation", "who is it ?", 0.9),
        ("test", "who <i> ?", 0.8),
    ]
    assert case.near[0].answers == {"Reference": ["it is me"], "Seq2Seq": ["no", ""]}
    assert case.near[1].address == "#items?corpus=embedded&split=test&example=104"


def test_texts_of_cases_are_escaped_on_the_page(tmp_path):
    contents = small_run(tmp_path)
    write_text(tmp_path / "tables/table5.csv", CASES)
    write_text(tmp_path / "tables/table5.md", "# Table 5. Cases\n")
    shown = replace(contents, tables=[*contents.tables, tmp_path / "tables/table5.csv"])
    write_page(shown, tmp_path / "report/index.html")
    page = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;you&lt;/b&gt;" in page
    assert "<b>you" not in page
    assert "who <i>" not in page


def test_a_table_of_cases_with_other_columns_is_named(tmp_path):
    write_text(tmp_path / "table5.csv", "corpus,case\nembedded,1\n")
    with pytest.raises(PipelineError, match="not readable as Table 5") as caught:
        read_cases(tmp_path / "table5.csv", {})
    assert caught.value.where.endswith("table5.csv")
    assert "example_id" in caught.value.expected
    assert caught.value.remedy
