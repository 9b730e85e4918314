"""PersonaWAE's tables of a stranger's CSV, whose column says who speaks: one entry of the configuration."""

import csv
import json
from pathlib import Path

import pytest
from tiny_workflow import TinyWorkflow

from numerics.recorded_tables import check_recorded
from pipeline_lib import answers
from pipeline_lib.config.personas import Personas
from pipeline_lib.corpora.personas import generate
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.text.turns import turns_apart
from unit.refusals import refusal

FOLDER = "results/persona_wae/tables"
ROWS = ("human", "random", "adaptation", "persona_wae")
PAPER = ("--config", "paper=persona_wae")
TARGETS = [
    *(f"{FOLDER}/{table}.csv" for table in ("table2", "table5", "table6", "distances", "unknown_users")),
    "results/persona_wae/figures/mine/users.csv",
]
CHANGES = {
    "corpora": ["mine"],
    "sources": {
        "mine": {
            "reader": "table",
            "label": "Mine",
            "licence": "own",
            "mirror": ".",
            "bundles": [[{"name": "mine.csv"}]],
            "columns": {"dialogue": "scene", "turn": "n", "text": "what", "speaker": "who"},
            "splits": {"validation": 0.15, "test": 0.15},
            "window": {"context": 2},
        }
    },
    "rows": list(ROWS),
    "tables": {
        "table2": {"extra": ["user-accuracy", "user-F1", "persona-accuracy"]},
        "unknown_users": {
            "kind": "scores",
            "title": "Unknown users",
            "splits": ["test_unknown_users"],
            "columns": ["sampled-BLEU-F1", "length"],
        },
    },
    "users": {"least": 5},
    "seeds": [1],
    "embeddings": {"training": {"dimension": 8, "epochs": 2}},
    "network": {"hidden": 6, "latent": 3, "user": 4},
    "training": {"batch_size": 16, "max_steps": 8, "validate_every": 4, "checkpoint_every": 4, "device": "cpu"},
    "decoding": {"samples": 2, "importance_samples": 2},
    "metrics": {"bootstrap": 50},
    "significance": {"trials": 50},
    "systems": {"adaptation": {"options": {"general": 4}}},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TinyWorkflow:
    return made(tmp_path_factory.mktemp("persona_wae") / "tiny")


def made(folder: Path) -> TinyWorkflow:
    """The run that the tests read."""
    workflow = TinyWorkflow.create(folder)
    with open(workflow.folder / "mine.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["scene", "n", "who", "what"])
        for row in generate(Personas(dialogues=60)).to_pylist():
            writer.writerow([row["dialogue_id"], row["turn"], row["speaker"], row["text"]])
    done = workflow.run(*PAPER, "--", *TARGETS, changes=CHANGES)
    assert done.returncode == 0, done.stdout
    return workflow


def _planned(run: TinyWorkflow, changed: dict[str, object]) -> tuple[set[str], set[str]]:
    """What a second run would train, and all that it would do."""
    jobs = run.planned(*PAPER, "--", *TARGETS, changes=CHANGES | changed)
    return {job for job in jobs if job.startswith("train_model")}, jobs


def test_every_cell_is_the_recorded_one(run):
    check_recorded("persona_wae", run.results / "persona_wae")


def test_a_second_run_has_nothing_to_do(run):
    assert _planned(run, {}) == (set(), set())


def test_another_number_of_components_of_the_users_mixture_trains_persona_wae_again_and_nothing_else(run):
    systems = CHANGES["systems"] | {"persona_wae": {"options": {"user_components": 2}}}
    trained, jobs = _planned(run, {"systems": systems})
    assert trained == {"train_model persona_wae 1"}
    assert not {job for job in jobs if "adaptation" in job}


def test_another_number_of_samples_trains_nothing_and_decodes_only_what_is_sampled(run):
    trained, jobs = _planned(run, {"decoding": CHANGES["decoding"] | {"samples": 3}})
    assert trained == set()
    assert {job.split()[1] for job in jobs if job.startswith("generate_responses")} == {"persona_wae"}


def _rows(run: TinyWorkflow, table: str) -> list[dict[str, str]]:
    with open(run.folder / f"{FOLDER}/{table}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_table_2_has_every_row_and_no_column_that_only_generated_users_have(run):
    rows = _rows(run, "table2")
    assert [row["system"] for row in rows] == list(ROWS)
    assert all(float(row["sampled-BLEU-recall"]) >= float(row["sampled-BLEU-precision"]) for row in rows)
    recall, precision, f1 = (float(rows[2][f"sampled-BLEU-{name}"]) for name in ("recall", "precision", "F1"))
    assert recall == pytest.approx(precision) == pytest.approx(f1)  # one response to each context
    assert not any(rows[3].get(column) for column in ("persona-accuracy", "persona-nats", "persona-grammar"))


def test_a_classifier_of_users_finds_those_of_the_references_more_often_than_those_of_random_responses(run):
    human, random, *others = (float(row["user-accuracy"]) for row in _rows(run, "table2"))
    assert human > 2 * random
    assert all(0 <= value <= 1 for value in others)


def test_all_samples_are_there_and_known_users_are_numbered(run):
    folder = run.folder / "results/persona_wae"
    responses = read_parquet(folder / "responses/mine/persona_wae/seed1/test.parquet")
    examples = read_parquet(folder / "filtered/mine/test.parquet")
    assert len(responses) == 2 * len(examples)
    assert set(responses["sample"].to_pylist()) == {0, 1}
    users = read_parquet(folder / "users/mine/responding.parquet")["user"].to_pylist()
    assert 0 in users
    assert max(users) > 10


def test_the_table_of_unknown_users_is_of_their_test_examples_alone(run):
    folder = run.folder / "results/persona_wae"
    responds = read_parquet(folder / "users/mine/responding.parquet")
    unknown = {row["example_id"] for row in responds.to_pylist() if row["user"] == 0}
    examples = read_parquet(folder / "filtered/mine/test.parquet").to_pylist()
    theirs = [len(row["response"].split()) for row in examples if row["example_id"] in unknown]
    assert 0 < len(theirs) < len(examples)
    rows = {row["system"]: row for row in _rows(run, "unknown_users")}
    assert float(rows["human"]["length"]) == pytest.approx(sum(theirs) / len(theirs), abs=1e-6)
    assert list(rows) == list(ROWS)


def test_table_5_shows_responses_of_the_files(run):
    texts = set(
        read_parquet(run.folder / "results/persona_wae/responses/mine/persona_wae/seed1/test.parquet")[
            "response"
        ].to_pylist()
    )
    shown = [row["text"] for row in _rows(run, "table5") if row["system"] == "persona_wae"]
    assert len(shown) == 2
    assert all(text in texts or text == "(empty)" for text in shown)


def test_distances_and_the_map_of_users_are_of_the_trained_system_and_its_known_users(run):
    [distances] = _rows(run, "distances")
    assert float(distances["prior to posterior"]) > 0
    with open(run.folder / "results/persona_wae/figures/mine/users.csv", newline="", encoding="utf-8") as file:
        points = list(csv.DictReader(file))
    users = read_parquet(run.folder / "results/persona_wae/users/mine/responding.parquet")["user"].to_pylist()
    assert [int(point["user"]) for point in points] == sorted(set(users) - {0})
    assert (run.folder / "results/persona_wae/figures/mine/users.svg").stat().st_size


def test_table_6_answers_each_context_as_every_known_user(run):
    rows = _rows(run, "table6")
    users = {row["user"] for row in rows}
    assert len(rows) == len(users) * len({row["case"] for row in rows})
    told = json.loads((run.folder / f"{FOLDER}/table6.json").read_text(encoding="utf-8"))
    assert len(told["sections"][0]["blocks"]) == 3


def _answers(run: TinyWorkflow, system: str, *words: str) -> list[str]:
    model = run.folder / f"results/persona_wae/models/mine/{system}/seed1/model.safetensors"
    return answers.answers(answers.parser().parse_args(["--model", str(model), *words]))


def test_a_trained_system_answers_a_user_as_it_did_in_the_run(run):
    """Adaptation knows a user by typical words and draws nothing."""
    folder = run.folder / "results/persona_wae"
    users = read_parquet(folder / "users/mine/responding.parquet").to_pylist()
    number = {row["example_id"]: row["user"] for row in users}
    examples = read_parquet(folder / "filtered/mine/test.parquet").to_pylist()
    responses = read_parquet(folder / "responses/mine/adaptation/seed1/test.parquet")["response"].to_pylist()
    row, example = next((row, one) for row, one in enumerate(examples) if number[one["example_id"]])
    context = turns_apart(example["context"])
    found = _answers(run, "adaptation", context, "--user", example["user"], "--decoding", "{max_length: 30}")
    assert found == [f"input\t{context}", f"answer\t{responses[row]}"]
    assert _answers(run, "adaptation", context)[0] == found[0]  # an unknown user


def test_samples_differ_with_their_seed_and_a_user_whom_nobody_knows_is_refused(run):
    several = [_answers(run, "persona_wae", "hi", "--decoding", "{samples: 3}", "--seed", seed) for seed in "112"]
    assert [line.split("\t")[0] for line in several[0]] == ["input", "answer 1", "answer 2", "answer 3"]
    assert several[0] == several[1]
    error = refusal(lambda: _answers(run, "persona_wae", "hi", "--user", "nobody at all"))
    assert error.problem == "no known user 'nobody at all'"
    assert (
        refusal(lambda: _answers(run, "persona_wae", "hi", "--keyword", "tea")).problem
        == "the system reads no keywords"
    )
