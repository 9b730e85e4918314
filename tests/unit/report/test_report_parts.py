"""What goes into the report: tables read as they are, data that no text can break out of, the record of a run."""

import hashlib
import json
import re
import subprocess
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pyarrow as pa
import pytest

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_json, write_text
from pipeline_lib.metrics.named import metric_names
from pipeline_lib.report.captions import caption_html
from pipeline_lib.report.item_files import item_sets, pack
from pipeline_lib.report.metric_notes import metric_notes
from pipeline_lib.report.page import unbroken, write_page
from pipeline_lib.report.script_data import literal, packed
from pipeline_lib.report.shown_tables import as_json, signatures
from pipeline_lib.runs.manifest import describe
from pipeline_lib.tables.cells import Block, Cell, Column, Row, Section, Table
from pipeline_lib.tables.published import PublishedValue
from unit.report.report_fixtures import save, small_config, small_run, table_of_texts


def test_a_table_is_shown_with_the_values_that_its_json_holds():
    cell = Cell(0.31, 0.02, 2, 0.2, 0.4, PublishedValue(0.386, "0.386±0.00"), "systems")
    cells = {"BLEU-1": cell, "ppl": Cell(float("inf")), "kl": Cell()}
    first = Row("c", "Corpus", "Sys", cells, "sys", "oracle", {"collapsed": 1})
    others = {"BLEU-1": Cell(0.2), "ppl": Cell(31.25, published=PublishedValue(None, ">600")), "kl": Cell()}
    table = Table(
        "table2",
        "scores",
        "2",
        "Validation responses",
        columns=[Column("BLEU-1", 3, "BLEU-1", "validation", signatures={"Corpus": "BLEU-1|v:1"})],
        extra=[Column("ppl", 1), Column("kl", 2)],
        rows=[first, Row("c", "Corpus", "Other", others, "other", "none")],
    )
    shown = as_json(table)
    assert [(c["name"], c["places"], c["metric"], c["split"]) for c in shown["columns"]] == [
        ("BLEU-1", 3, "BLEU-1", "validation"),
        ("ppl", 1, "", ""),
    ]  # a column without a value says nothing
    assert shown["columns"][0]["signatures"] == signatures(table) == ["BLEU-1|v:1"]
    row, other = shown["rows"]
    assert (row["label"], row["corpus_label"], row["selection"]) == ("Sys", "Corpus", "oracle")
    assert [mark for mark, _ in row["marks"]] == ["‡1"]
    parts = row["cells"]["BLEU-1"]
    assert (parts["mean"], parts["sd"], parts["n"], parts["low"], parts["high"]) == (0.31, 0.02, 2, 0.2, 0.4)
    assert (parts["published"], parts["lead"]) == (0.386, "systems")
    assert parts["difference"] == pytest.approx(-0.076)
    assert "mean" not in row["cells"]["ppl"]  # infinite: a script cannot hold it
    assert (other["cells"]["ppl"]["published"], other["cells"]["ppl"]["printed"]) == (None, ">600")
    json.dumps(shown, allow_nan=False)


def test_a_word_in_place_of_a_value_is_shown():
    cells = {"relevance": Cell(text="not collected"), "rank": Cell(text=" ")}
    columns = [Column("relevance"), Column("rank")]
    table = Table("table4", "ratings", "4", "Judged", columns=columns, rows=[Row("c", "Corpus", "Sys", cells, "sys")])
    shown = as_json(table)
    assert [column["name"] for column in shown["columns"]] == ["relevance"]
    assert shown["rows"][0]["cells"]["relevance"]["text"] == "not collected"


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


def test_every_metric_is_explained_and_leads_to_items_that_the_page_has():
    names = metric_names()
    notes = metric_notes([*names, "gone by now"])
    assert set(notes) == {"repeats", *names}
    assert {note["item"] for note in notes.values()} <= set(notes)
    assert all(note["meaning"] and note["better"] in ("higher", "lower", None) for note in notes.values())


def test_a_caption_is_turned_into_markup_without_scripts():
    html = caption_html("Cosines above 0.9: *z* <b>. A {brace} and a $ stay.", "figures.a")
    expected = "<p>Cosines above 0.9: <em>z</em> &lt;b&gt;. A {brace} and a $ stay.</p>"
    assert re.sub(r"\s+", " ", html).strip() == expected


@pytest.mark.parametrize(("text", "problem"), [("*open", "emphasis"), (".. raw:: html\n\n   <b>", "raw")])
def test_a_caption_with_a_fault_is_named(text, problem):
    with pytest.raises(PipelineError, match=problem) as caught:
        caption_html(text, "figures.a")
    assert caught.value.where == "figures.a.caption"
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
        ("tables/table2.json", None, "not readable"),
        ("tables/table2.json", b"\xff\xfe\x00", "damaged"),
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
    values = small_config().model_dump(mode="json", by_alias=True)
    values["mirror"] = "/home/someone/data"
    values["sources"]["embedded"]["mirror"] = "/home/someone/other"
    values["sources"]["embedded"]["override"] = {"embeddings": {"mirror": "/home/someone/vectors"}}
    options = {"one_to_many": [0.25], "many_to_one": [], "systems": ["seq2seq"]}
    values["analyses"]["one_to_many"] = {"kind": "one_to_many", "options": options}
    from pipeline_lib.config.loading import Layer, load
    from pipeline_lib.config.run import Config

    recorded = load([Layer("a.yaml", values)]).recorded()
    assert "someone" not in recorded
    again = Config.model_validate_json(recorded)
    assert list(again.sources) == ["embedded"]
    assert again.systems == load([Layer("a.yaml", values)]).systems


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


def test_texts_are_escaped_on_the_page_and_their_columns_lead_to_the_explorer(tmp_path):
    contents = small_run(tmp_path)
    texts = save(table_of_texts(), tmp_path / "tables/table5.json")
    write_page(replace(contents, tables=[*contents.tables, texts]), tmp_path / "report/index.html")
    page = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;you&lt;/b&gt;" in page
    assert "<b>you" not in page
    assert "who <i>" not in page
    assert "<script>window" not in page
    assert 'href="#items?corpus=embedded&amp;split=test&amp;example=104"' in page


def test_only_columns_of_long_texts_are_given_room_to_wrap(tmp_path):
    lines = [["t", "text", "grammatical"], ["0.5", "a sentence that is longer than a few words are", "yes"]]
    table = Table("table8", "decoded", "8", "Paths", sections=[Section("G", [Block("Path 1", lines)])], is_prose=True)
    contents = replace(small_run(tmp_path), tables=[save(table, tmp_path / "tables/table8.json")])
    write_page(contents, tmp_path / "report/index.html")
    page = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    found = re.findall(r'<th scope="col"( class="short")?>(\w+)</th>', page)
    assert [name for is_short, name in found if is_short] == ["t", "grammatical"]
    assert ("", "text") in found


def test_titles_and_captions_are_those_of_the_tables_and_of_the_declared_figures(tmp_path):
    contents = small_run(tmp_path)
    own = Table("mine", "scores", None, "Nothing of SepaCVAE", "Of *another* paper.", [Column("a")])
    path = save(replace(own, rows=[Row("c", "C", "S", {"a": Cell(1.0)}, "s")]), tmp_path / "tables/mine.json")
    write_page(replace(contents, tables=[path]), tmp_path / "report/index.html")
    page = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    assert "<h3>Nothing of SepaCVAE</h3>" in page
    assert "Of <em>another</em> paper." in page
    assert "<h3>Figure 5. Posterior &lt;z&gt;</h3>" in page
    assert "Posterior z, <em>by group</em>." in page


@pytest.mark.parametrize("published", [None, PublishedValue(0.9, "0.9")])
def test_the_key_explains_published_values_only_where_there_are_some(tmp_path, published):
    contents = small_run(tmp_path)
    row = Row("c", "C", "S", {"a": Cell(1.0, published=published)}, "s")
    path = save(Table("own", "scores", None, "Own", columns=[Column("a")], rows=[row]), tmp_path / "tables/own.json")
    write_page(replace(contents, tables=[path]), tmp_path / "report/index.html")
    page = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    assert ("published, difference" in page) == ("the published</option>" in page) == (published is not None)
    assert ('id="sort-by"' in page) == (published is not None)


def test_a_system_that_makes_no_texts_is_shown_with_its_likelihoods(tmp_path):
    from unit.report.report_fixtures import responses, write_responses

    table = responses("floor", "none")
    silent = table.set_column(table.column_names.index("response"), "response", pa.nulls(len(table), pa.string()))
    made = pack([write_responses(tmp_path, "floor", "test", silent.drop_columns(["BLEU-1", "BLEU-2", "coherence"]))])
    assert "ppl" in made["answers"][0]["metrics"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0.12 [−0.01, 0.21]", "0.12 [−0.01,\u00a00.21]"),
        ("said [yes, no], 3, 4", "said [yes, no], 3, 4"),
    ],
)
def test_the_ends_of_an_interval_stay_in_one_line_of_a_cell(text, shown):
    assert unbroken(text) == shown
