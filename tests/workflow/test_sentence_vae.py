"""The sentence VAE's table and figure, of a small grammar, with one more system that reads and writes word pieces."""

import csv
import json
import math
import string
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_workflow import TinyWorkflow

from numerics.recorded_tables import check_recorded
from pipeline_lib.config.grammar import Grammar
from pipeline_lib.corpora.grammar_parser import Parser
from pipeline_lib.corpora.grammar_rules import grammar_of
from pipeline_lib.files.formats import read_parquet

TABLE = "results/sentence_vae/tables/table2.csv"
FIGURE = "results/sentence_vae/figures/grammar/figure2.svg"
PATHS = "results/sentence_vae/tables/table8.csv"
FIGURES_OF_TEXTS = [f"results/sentence_vae/figures/grammar/{name}.csv" for name in ("figure3", "path")]
IMPUTED, ADVERSARIAL, PAIRS = (f"results/sentence_vae/tables/table{number}.csv" for number in (3, 4, 9))
JUDGED = "results/sentence_vae/analyses/grammar/vae/seed1/judged.parquet"
SYSTEMS = ("truth", "rnnlm", "vae", "pieces")
PAPERS_SYSTEMS = ("rnnlm", "vae", "rnnlm_inputless", "vae_inputless")
BY_KEEP_RATE = ("vae_keep_100", "vae_keep_75", "vae_keep_50", "vae_keep_0")
IMPUTING = {"rnnlm": "RNNLM (15 bm.)", "vae": "VAE (3x5 bm.)"}
BOOKS_SYSTEMS = ("rnnlm", "vae", "autoencoder")
PROBED = [
    f"results/sentence_vae/analyses/grammar/vae/seed1/{name}.parquet" for name in ("paraphrase_corpus", "questions")
]
LETTERS = string.ascii_lowercase + ".,?!'-"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TinyWorkflow:
    return made(tmp_path_factory.mktemp("sentence_vae") / "tiny")


def made(folder: Path) -> TinyWorkflow:
    """The run that the tests read."""
    workflow = TinyWorkflow.create(folder)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "##ing", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    (workflow.folder / "pieces.txt").write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")
    _write_probes(workflow.folder / "probes")
    changes = {
        "seeds": [1],
        "sources": {
            "grammar": {"grammar": {"train": 300, "validation": 60, "test": 60}},
            "grammar_draws": {"grammar": {"test": 100}},
            "msrp": {"mirror": "probes"},
            "trec": {"mirror": "probes"},
        },
        "units": {"pieces": "pieces.txt"},
        "network": {"embedding": 6, "hidden": 8, "latent": 3},
        "training": {"max_steps": 12, "validate_every": 6, "device": "cpu"},
        "decoding": {"importance_samples": 2},
        "metrics": {"bootstrap": 50},
        "significance": {"trials": 50},
        "systems": {
            "rnnlm": {"options": {"direction": "right_to_left"}},  # so that they impute, too
            "vae": {"options": {"direction": "right_to_left"}},
            "pieces": {"like": "rnnlm", "label": "RNNLM of pieces", "units": "pieces"},
        },
        "tables": {
            "table2": {"systems": list(SYSTEMS), "splits": ["test"]},
            "table3": {"systems": IMPUTING},
            "table4": {"systems": IMPUTING},
        },
        "figures": {"figure3": {"systems": ["vae"]}},
        "analyses": {name: {"options": {"paths": 4}} for name in ("paths_between_sentences", "paths_in_prior")}
        | {"paraphrases": {"options": {"train_pairs": 40, "test_pairs": 20}}}
        | {"paraphrase_corpus": {"kind": "pair_probe", "corpus": "msrp"}}
        | {"questions": {"kind": "sentence_probe", "corpus": "trec"}},
    }
    targets = [TABLE, FIGURE, PATHS, *FIGURES_OF_TEXTS, IMPUTED, ADVERSARIAL, PAIRS, *PROBED]
    done = workflow.run("--config", "paper=sentence_vae", "--", *targets, changes=changes)
    assert done.returncode == 0, done.stdout
    return workflow


def _write_probes(folder: Path) -> None:
    """Write paraphrases and questions in the forms of MSRP and TREC, neither of which has a validation split."""
    folder.mkdir()
    header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
    for split, number in (("train", 40), ("test", 20)):
        pairs = [
            f"{i % 2}\t{i}\t{i}\tthe map {i} is there .\tthe map is {'here' if i % 2 else 'lost'} .\n"
            for i in range(number)
        ]
        (folder / f"msr_paraphrase_{split}.txt").write_text(header + "".join(pairs), encoding="utf-8")
    for name, number in (("train_5500.label", 60), ("TREC_10.label", 24)):
        questions = [
            ("NUM:dist How far is it ?", "LOC:city Where is it ?", "HUM:ind Who is it ?")[i % 3] for i in range(number)
        ]
        (folder / name).write_text("".join(f"{question}\n" for question in questions), encoding="utf-8")


def _rows(path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_cell_is_the_recorded_one(run):
    check_recorded("sentence_vae", run.results / "sentence_vae")


def test_the_row_of_the_truth_is_the_grammars_own_and_hardly_trained_systems_are_far_from_it(run):
    rows = {row["system"]: row for row in _rows(run.folder / TABLE)}
    assert list(rows) == list(SYSTEMS)
    floor = float(rows["truth"]["nll-bound"])
    texts = read_parquet(run.folder / "results/sentence_vae/filtered/grammar/test.parquet")["response"].to_pylist()
    parser = Parser(grammar_of(Grammar()))
    assert floor == pytest.approx(-np.mean([parser.log_p(text.split()) for text in texts]), abs=0.01)
    assert all(float(rows[name]["nll-bound"]) > floor + 5 for name in SYSTEMS[1:])  # hardly trained
    assert not rows["rnnlm"]["kl"]
    assert float(rows["vae"]["kl"]) > 0


@pytest.mark.parametrize("system", ["rnnlm", "pieces"])
def test_perplexity_is_per_word_whatever_the_units(run, system):
    folder = run.folder / "results/sentence_vae"
    texts = read_parquet(folder / "filtered/grammar/test.parquet")["response"].to_pylist()
    nats = read_parquet(folder / f"responses/grammar/{system}/seed1/test.parquet")["bound"].to_numpy()
    words = sum(len(text.split()) + 1 for text in texts)
    [row] = [row for row in _rows(run.folder / TABLE) if row["system"] == system]
    assert float(row["ppl-bound"]) == pytest.approx(math.exp(nats.astype(np.float64).sum() / words), rel=1e-3)


def test_each_system_reads_the_examples_in_its_own_units(run):
    folder = run.folder / "results/sentence_vae"
    encoded = {path.relative_to(folder / "encoded/grammar").as_posix() for path in folder.rglob("*.arrow")}
    assert encoded == {
        f"{units}/{split}.arrow" for units in ("words", "pieces") for split in ("train", "validation", "test")
    }
    answers = read_parquet(folder / "responses/grammar/pieces/seed1/test.parquet")["response"].to_pylist()
    assert not any("#" in text or "[" in text for text in answers)


def test_imputed_endings_are_of_other_sentences_than_those_that_are_trained_on(run):
    rows = _rows(run.folder / IMPUTED)
    drawn = read_parquet(run.folder / "results/sentence_vae/examples/grammar_draws/test.parquet")[
        "response"
    ].to_pylist()
    assert len(rows) > 10
    assert {f"{row['prefix']} {row['true']}" for row in rows} <= set(drawn)
    for row in rows:
        assert len(row["rnnlm"].split()) == len(row["vae"].split()) == len(row["true"].split())


def test_the_adversarial_table_has_rows_of_systems_and_controls(run):
    rows = {row["label"]: row for row in _rows(run.folder / ADVERSARIAL)}
    assert list(rows) == ["RNNLM (15 bm.)", "VAE (3x5 bm.)", "true", "random ending", "best imputer"]
    assert all(row["RNNLM NLL"] for label, row in rows.items() if label != "best imputer")
    best = float(rows["best imputer"]["oracle error"])
    assert all(float(rows[label]["oracle error"]) >= best for label in ("RNNLM (15 bm.)", "VAE (3x5 bm.)"))


def test_the_probe_of_pairs_has_its_controls(run):
    labels = [row["label"] for row in _rows(run.folder / PAIRS)]
    assert labels == ["VAE", "VAE+feats", "Feats", "majority"]


def test_corpora_without_a_validation_split_are_probed_on_their_test_splits(run):
    of_pairs, of_questions = (read_parquet(run.folder / path).to_pylist() for path in PROBED)
    assert {row["n"] for row in of_pairs} == {20}
    assert {row["n"] for row in of_questions} == {24}
    words = next(row for row in of_questions if row["row"] == "bag of words")
    assert words["value"] == 100  # each class has a word of its own


def test_completed_sentences_have_the_verdicts_of_the_grammar_and_of_the_judge(run):
    parser = Parser(grammar_of(Grammar()))
    for row in _rows(run.folder / IMPUTED):
        for system in IMPUTING:
            whole = f"{row['prefix']} {row[system]}".split()
            assert (row[f"{system} grammatical"] == "true") == parser.grammatical(whole)
            assert float(row[f"{system} nll_lm"]) > 0


def test_the_judge_of_an_analysis_is_trained_with_a_seed_of_its_own(run):
    declared = {"judged": {"kind": "latents", "judge": {"system": "rnnlm", "seed": 7}}}
    jobs = run.planned(JUDGED, "--config", "paper=sentence_vae", changes={"seeds": [1], "analyses": declared})
    assert {job for job in jobs if "rnnlm" in job} == {"train_model rnnlm 7"}


def test_an_analysis_reads_the_examples_of_another_corpus_if_it_names_one(run):
    declared = {"judged": {"kind": "reconstructions", "corpus": "embedded"}}
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


def test_texts_of_paths_are_judged_by_another_model_and_by_the_grammar_and_compared_with_the_autoencoders(run):
    rows = _rows(run.folder / PATHS)
    assert [(row["path"], row["point"]) for row in rows] == [(str(i), str(k)) for i in range(1, 5) for k in range(9)]
    parser = Parser(grammar_of(Grammar()))
    for row in rows:
        assert (row["grammatical"] == "true") == parser.grammatical(row["text"].split())
        assert float(row["nll_lm"]) > 0 > float(row["log_p"])
    assert len({row["nll_lm"] for row in rows}) == len({row["text"] for row in rows})
    printed = (run.folder / PATHS).with_suffix(".md").read_text(encoding="utf-8")
    assert "VAE (standard decoder) minus Autoencoder" in printed


def test_the_bound_by_keep_rate_is_that_of_table_2(run):
    """Both draw z once for each sentence, with noise of their own."""
    [row] = _rows(run.folder / FIGURES_OF_TEXTS[0])
    assert float(row["bound"]) == pytest.approx(float(row["reconstruction"]) + float(row["kl"]))
    [vae] = [row for row in _rows(run.folder / TABLE) if row["system"] == "vae"]
    assert float(row["kl"]) == pytest.approx(float(vae["kl"]), rel=1e-4)
    assert float(row["reconstruction"]) == pytest.approx(float(vae["nll"]), rel=0.01)


def test_the_figure_of_a_path_is_the_first_of_the_table(run):
    drawn = [row["text"] for row in _rows(run.folder / FIGURES_OF_TEXTS[1])]
    assert drawn == [row["text"] for row in _rows(run.folder / PATHS) if row["path"] == "1"]


def test_the_trained_model_answers_ones_own_sentence(run):
    model = run.folder / "results/sentence_vae/models/grammar/vae/seed1/model.safetensors"
    command = [
        sys.executable,
        "-m",
        "pipeline_lib.sentences",
        "reconstruct",
        "--model",
        str(model),
        "Zebras like soup.",
    ]
    done = subprocess.run(command, env=run.environment(), cwd=run.folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "input\tzebras like soup ."
    assert "read as <unk>: zebras" in done.stderr


@pytest.mark.parametrize(
    ("preset", "targets", "trained"),
    [
        (
            "published",
            [
                *(f"results/paper/sentence_vae_ptb/tables/table{number}.csv" for number in (2, 11)),
                *(f"results/paper/sentence_vae_ptb/figures/ptb/figure{number}.svg" for number in (2, 3)),
            ],
            {f"train_model {name} {seed}" for name in (*PAPERS_SYSTEMS, *BY_KEEP_RATE) for seed in (1, 2, 3)},
        ),
        (
            "published_novels",
            [f"results/paper/sentence_vae_novels/tables/table{number}.csv" for number in (1, 3, 4, 7, 8, 9, 10, 12)],
            {f"train_model {name} {seed}" for name in BOOKS_SYSTEMS for seed in (1, 2, 3)} | {"train_model rnnlm 101"},
        ),
    ],
)
def test_the_published_sizes_are_planned_without_their_corpora(run, preset, targets, trained):
    planned = run.planned(*targets, "--config", "paper=sentence_vae", f"preset={preset}")
    assert {job for job in planned if job.startswith("train_model")} == trained
    assert any(job.startswith("download_corpus") for job in planned)
