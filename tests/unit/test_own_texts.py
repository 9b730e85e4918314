"""Texts of one's own: the files that a model is read with are those that it was made from."""

from pathlib import Path

import pytest

from pipeline_lib.files.checksums import checksum_file
from pipeline_lib.files.formats import write_text
from pipeline_lib.files.provenance import PLANS, Plan, current_job, save_plan
from pipeline_lib.own_texts.contexts import read_contexts
from pipeline_lib.own_texts.same_run import refuse_of_another_run
from pipeline_lib.text.ids import TURN
from pipeline_lib.text.words import Words
from unit.refusals import refusal
from unit.vocabularies import write_words

MODEL = "models/own/system/seed1/model.safetensors"
VOCABULARY, TRAIN, ENCODED = "vocabulary/own/words.parquet", "filtered/own/train.parquet", "encoded/own/train.arrow"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A results folder in which each file was made from those before it."""
    yield made_run(tmp_path / "run", "one", monkeypatch)
    current_job.cache_clear()


def made_run(results: Path, text: str, monkeypatch) -> Path:
    made(results, TRAIN, [], text, monkeypatch)
    made(results, TRAIN, [TRAIN], text, monkeypatch)  # a stage may read what it wrote
    made(results, VOCABULARY, [TRAIN], text, monkeypatch)
    made(results, ENCODED, [TRAIN, VOCABULARY], text, monkeypatch)
    made(results, MODEL, [ENCODED, VOCABULARY], text, monkeypatch)
    return results


def made(results: Path, name: str, inputs: list[str], text: str, monkeypatch) -> None:
    plan = Plan(name.split("/")[0], {}, {"text": text}, "c0", dict.fromkeys(inputs, ""))
    monkeypatch.setenv("PIPELINE_PLAN", str(save_plan(results / PLANS, plan, [name], {})))
    current_job.cache_clear()
    job = current_job()
    assert job
    (results / name).parent.mkdir(parents=True, exist_ok=True)
    write_text(results / name, f"{name} of {text}")
    job.finish()


def taken_from(other: Path, results: Path, name: str) -> None:
    """Copy a file of another run, with what is kept beside it."""
    for find in (lambda path: path, checksum_file):
        find(results / name).write_bytes(find(other / name).read_bytes())


@pytest.mark.parametrize("name", [VOCABULARY, TRAIN])
def test_a_file_of_another_run_is_told_from_that_of_the_model(run, tmp_path, monkeypatch, name):
    refuse_of_another_run(run / MODEL, run / name)
    taken_from(made_run(tmp_path / "other", "two", monkeypatch), run, name)
    error = refusal(lambda: refuse_of_another_run(run / MODEL, run / name))
    assert error.where == f"{run / name}, beside {run / MODEL}"
    checksum_file(run / name).unlink()  # put there by hand: its bytes tell
    assert refusal(lambda: refuse_of_another_run(run / MODEL, run / name)).where == error.where


def test_a_file_between_that_is_of_another_run_is_named(run, tmp_path, monkeypatch):
    other = made_run(tmp_path / "other", "two", monkeypatch)
    for name in (ENCODED, TRAIN):
        taken_from(other, run, name)
    assert refusal(lambda: refuse_of_another_run(run / MODEL, run / TRAIN)).where.startswith(str(run / ENCODED))


def test_what_no_record_names_is_taken_as_it_is(run, tmp_path):
    refuse_of_another_run(run / MODEL, run / "users/own/responding.parquet")  # none is there
    write_text(tmp_path / "beside", "by hand")
    refuse_of_another_run(run / MODEL, tmp_path / "beside")
    checksum_file(run / MODEL).unlink()
    write_text(run / VOCABULARY, "of another run")
    refuse_of_another_run(run / MODEL, run / VOCABULARY)


def words(tmp_path: Path, *further: str) -> Words:
    write_words(tmp_path / "words.parquet", ["hello", "you", *further])
    return Words.read(tmp_path / "words.parquet")


def test_turns_are_parted_as_tables_print_them(tmp_path):
    units = words(tmp_path, TURN)
    assert read_contexts(["hello / you", "hello/you /  hello"], units)[0] == f"hello {TURN} you"
    for given in ("", "hello / / you", "/ you", "hello /"):
        error = refusal(lambda given=given: read_contexts(["hello", given], units))
        assert error.problem == "a turn is empty"
        assert error.where == f"context 2 of the command line, {given!r}"


def test_several_turns_are_refused_where_all_contexts_have_one(tmp_path):
    error = refusal(lambda: read_contexts(["hello / you"], words(tmp_path)))
    assert error.problem == "2 turns, but all contexts of the corpus have one"
