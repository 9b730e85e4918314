"""The sentence VAE's table and figure, of a small grammar, with one more system that reads and writes word pieces."""

import csv
import math
import string

import numpy as np
import pytest
from tiny_workflow import TinyWorkflow

from pipeline_lib.files.formats import read_parquet

TABLE = "results/sentence_vae/tables/table2.csv"
FIGURE = "results/sentence_vae/figures/grammar/figure2.svg"
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


def test_no_system_finds_the_sentences_likelier_than_the_grammar_does(run):
    rows = {row["system"]: row for row in _rows(run.folder / TABLE)}
    assert list(rows) == list(SYSTEMS)
    floor = float(rows["truth"]["test nll-bound"])
    assert 8 < floor < 14  # the grammar's entropy is 11.34 nats
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


def test_the_figure_shows_the_weight_and_the_kl_of_every_validation(run):
    rows = _rows((run.folder / FIGURE).with_suffix(".csv"))
    assert {row["quantity"] for row in rows} == {"weight", "kl"}
    assert {int(row["step"]) for row in rows} >= {6, 12}
