"""The stages that this paper alone has, from generated paraphrases to the tables and the figure of the contrasts."""

import csv
from pathlib import Path

import pytest
from tiny_workflow import TinyWorkflow

from numerics.recorded_tables import check_recorded
from pipeline_lib import answers
from pipeline_lib.files.formats import read_parquet
from unit.refusals import refusal

RESULTS = "results/keywords_and_instances"
CHANGES = {
    "sources": {"paraphrases": {"paraphrases": {"meanings": 200, "topics": 3, "words_per_slot": 4}}},
    "seeds": [1],
    "embeddings": {"training": {"dimension": 8, "epochs": 2}},
    "network": {"width": 8, "layers": 1, "heads": 2, "feed_forward": 16, "latent": 4},
    "training": {"batch_size": 16, "max_steps": 8, "validate_every": 4, "checkpoint_every": 4, "device": "cpu"},
    "decoding": {"importance_samples": 2},
    "tables": {name: {"systems": ["ours"]} for name in ("contrasts", "gradients")},
    "figures": {"figure3": {"systems": ["ours"]}},
    "analyses": {"contrast_space": {"options": {"examples": 5}}, "keyword_choice": {"options": {"examples": 4}}},
}

DECODING = "{kind: beam, size: 4, min_length: 5, max_length: 20}"  # of the preset `small`


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TinyWorkflow:
    return made(tmp_path_factory.mktemp("keywords") / "tiny")


def made(folder: Path) -> TinyWorkflow:
    """The run that the tests read."""
    workflow = TinyWorkflow.create(folder)
    targets = [f"{RESULTS}/tables/{table}.csv" for table in ("table4", "negatives", "contrasts", "gradients")]
    targets.append(f"{RESULTS}/figures/paraphrases/figure3.csv")
    done = workflow.run("--config", "paper=keywords_and_instances", "--", *targets, changes=CHANGES)
    assert done.returncode == 0, done.stdout
    return workflow


def _rows(run: TinyWorkflow, file: str) -> list[dict[str, str]]:
    with open(run.folder / RESULTS / f"{file}.csv", newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def test_every_cell_is_the_recorded_one(run):
    check_recorded("keywords_and_instances", run.results / "keywords_and_instances")


def test_table_4_answers_each_context_with_keywords_of_four_sources(run):
    rows = _rows(run, "tables/table4")
    assert len(rows) == 4 * 4
    sources = [row["source"] for row in rows if row["example_id"] == rows[0]["example_id"]]
    assert sorted(sources) == ["none", "random", "reference", "textrank"]
    graph = set(read_parquet(run.folder / RESULTS / "graph/paraphrases/keywords.parquet")["keyword"].to_pylist())
    assert all(row["keyword"] in graph for row in rows if row["source"] != "none")


def test_the_sheet_of_negatives_has_texts_of_the_split_and_an_empty_column_for_the_verdict(run):
    rows = _rows(run, "tables/negatives")
    examples = read_parquet(run.folder / RESULTS / "filtered/paraphrases/test.parquet")
    texts = {*examples["context"].to_pylist(), *examples["response"].to_pylist()}
    assert rows
    assert all(row["negative"] in texts for row in rows)
    assert {row["same meaning as the context?"] for row in rows} == {""}


def test_a_filled_sheet_of_negatives_chooses_them_anew_if_it_lies_outside_the_results(run):
    sheet = run.folder / "audited.csv"
    sheet.write_bytes((run.folder / RESULTS / "tables/negatives.csv").read_bytes())
    negatives = f"{RESULTS}/negatives/paraphrases/train.parquet"
    planned = run.planned(
        negatives, "--config", "paper=keywords_and_instances", changes=CHANGES | {"contrasts": {"audit": sheet.name}}
    )
    assert "choose_negatives train" in planned
    inside = {"contrasts": {"audit": f"{RESULTS}/tables/negatives.csv"}}
    done = run.run(negatives, "--dry-run", "--config", "paper=keywords_and_instances", changes=CHANGES | inside)
    assert done.returncode != 0
    assert "copy the filled sheet to another folder" in done.stdout


def test_contrasts_and_their_gradients_are_measured_of_the_trained_system(run):
    (contrasts,) = (row for row in _rows(run, "tables/contrasts") if row["system"] == "ours")
    assert float(contrasts["instance loss"]) > 0
    assert {row["system"] for row in _rows(run, "tables/gradients")} == {"ours"}


def test_the_figure_has_both_spaces_before_and_after_training(run):
    rows = _rows(run, "figures/paraphrases/figure3")
    assert {(row["space"], row["trained"]) for row in rows} == {
        (space, trained) for space in ("width", "latent") for trained in ("true", "false")
    }


def test_another_keyword_at_the_prompt_is_answered_as_in_table_4(run):
    model = run.folder / RESULTS / "models/paraphrases/ours/seed1/model.safetensors"

    def asked(*words: str) -> list[str]:
        return answers.answers(answers.parser().parse_args(["--model", str(model), "--decoding", DECODING, *words]))

    for row in _rows(run, "tables/table4"):
        own = {"random": ["--keyword", row["keyword"]], "textrank": []}.get(row["source"])
        if own is not None:
            expected = [f"input\t{row['context']}", f"keyword\t{row['keyword']}", f"answer\t{row['response']}"]
            assert asked(row["context"], *own) == expected
    assert asked("?")[:2] == ["input\t?", "keyword\tnone"]
    error = refusal(lambda: asked("which tea is best ?", "--keyword", "no such word"))
    assert error.problem == "no keyword 'no such word'"
    assert refusal(lambda: asked("tea ?", "--user", "somebody")).problem == "the system reads no users"
