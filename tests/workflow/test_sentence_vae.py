"""The sentence VAE's table and figure, of a small grammar, with one more system that reads and writes word pieces."""

import csv
import json
import math
import string

import numpy as np
import pytest
from tiny_workflow import TinyWorkflow

from pipeline_lib.config.grammar import Grammar
from pipeline_lib.corpora.grammar_parser import Parser
from pipeline_lib.corpora.grammar_rules import grammar_of
from pipeline_lib.files.formats import read_parquet

TABLE = "results/sentence_vae/tables/table2.csv"
FIGURE = "results/sentence_vae/figures/grammar/figure2.svg"
JUDGED = "results/sentence_vae/analyses/grammar/vae/seed1/judged.parquet"
SYSTEMS = ("truth", "rnnlm", "vae", "pieces")
LETTERS = string.ascii_lowercase + ".,?!'-"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TinyWorkflow:
    workflow = TinyWorkflow.create(tmp_path_factory.mktemp("sentence_vae") / "tiny")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "##ing", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    (workflow.folder / "pieces.txt").write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")
    changes = {
        "seeds": [1],
        "sources": {"grammar": {"grammar": {"train": 300, "validation": 60, "test": 60}}},
        "units": {"pieces": "pieces.txt"},
        "network": {"embedding": 6, "hidden": 8, "latent": 3},
        "training": {"max_steps": 12, "validate_every": 6, "device": "cpu"},
        "decoding": {"importance_samples": 2},
        "metrics": {"bootstrap": 50},
        "significance": {"trials": 50},
        "systems": {"pieces": {"like": "rnnlm", "label": "RNNLM of pieces", "units": "pieces"}},
        "tables": {"table2": {"systems": list(SYSTEMS)}},
    }
    done = workflow.run("--config", "paper=sentence_vae", "--", TABLE, FIGURE, changes=changes)
    assert done.returncode == 0, done.stdout
    return workflow


def _rows(path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_row_of_the_truth_is_the_grammars_own_and_hardly_trained_systems_are_far_from_it(run):
    rows = {row["system"]: row for row in _rows(run.folder / TABLE)}
    assert list(rows) == list(SYSTEMS)
    floor = float(rows["truth"]["test nll-bound"])
    texts = read_parquet(run.folder / "results/sentence_vae/filtered/grammar/test.parquet")["response"].to_pylist()
    parser = Parser(grammar_of(Grammar()))
    assert floor == pytest.approx(-np.mean([parser.log_p(text.split()) for text in texts]), abs=0.01)
    assert all(float(rows[name]["test nll-bound"]) > floor + 5 for name in SYSTEMS[1:])  # hardly trained
    assert not rows["rnnlm"]["test kl"]
    assert float(rows["vae"]["test kl"]) > 0


@pytest.mark.parametrize("system", ["rnnlm", "pieces"])
def test_perplexity_is_per_word_whatever_the_units(run, system):
    folder = run.folder / "results/sentence_vae"
    texts = read_parquet(folder / "filtered/grammar/test.parquet")["response"].to_pylist()
    nats = read_parquet(folder / f"responses/grammar/{system}/seed1/test.parquet")["bound"].to_numpy()
    words = sum(len(text.split()) + 1 for text in texts)
    [row] = [row for row in _rows(run.folder / TABLE) if row["system"] == system]
    assert float(row["test ppl-bound"]) == pytest.approx(math.exp(nats.astype(np.float64).sum() / words), rel=1e-3)


def test_each_system_reads_the_examples_in_its_own_units(run):
    folder = run.folder / "results/sentence_vae"
    encoded = {path.relative_to(folder / "encoded/grammar").as_posix() for path in folder.rglob("*.arrow")}
    assert encoded == {
        f"{units}/{split}.arrow" for units in ("words", "pieces") for split in ("train", "validation", "test")
    }
    answers = read_parquet(folder / "responses/grammar/pieces/seed1/test.parquet")["response"].to_pylist()
    assert not any("#" in text or "[" in text for text in answers)


def test_the_judge_of_an_analysis_is_trained_with_a_seed_of_its_own(run):
    declared = {"judged": {"kind": "latents", "judge": {"system": "rnnlm", "seed": 7}}}
    jobs = run.planned(JUDGED, "--config", "paper=sentence_vae", changes={"seeds": [1], "analyses": declared})
    assert {job for job in jobs if "rnnlm" in job} == {"train_model rnnlm 7"}


def test_an_analysis_reads_the_examples_of_another_corpus_if_it_names_one(run):
    declared = {"judged": {"kind": "latents", "corpus": "embedded"}}
    jobs = run.planned(JUDGED, "--config", "paper=sentence_vae", changes={"seeds": [1], "analyses": declared})
    assert {"extract_dialogues", "extract_examples", "analyse_system vae 1 judged"} <= jobs


def test_the_figure_shows_the_weight_and_the_kl_of_every_validation(run):
    rows = _rows((run.folder / FIGURE).with_suffix(".csv"))
    assert {row["quantity"] for row in rows} == {"weight", "kl_training", "kl"}
    with open(run.folder / "results/sentence_vae/models/grammar/vae/seed1/history.jsonl", encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    shown = {(row["quantity"], int(row["step"])): float(row["mean"]) for row in rows}
    for quantity, kind, name in (
        ("kl", "validation", "kl"),
        ("kl_training", "train", "kl"),
        ("weight", "train", "weight"),
    ):
        recorded = {record["step"]: record[name] for record in records if record["kind"] == kind}
        assert recorded
        for step, value in recorded.items():
            assert shown[quantity, step] == pytest.approx(value)
