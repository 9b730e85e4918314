"""Presets of sizes and corpora that no test can run are planned whole: every rule finds what it needs."""

import shutil

import pytest
import yaml
from tiny_workflow import ROOT, TinyWorkflow

WHOLE = ("workflow", "profiles", "src", "papers", "config")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> TinyWorkflow:
    """The workflow as it stands, with all systems of all papers."""
    folder = tmp_path_factory.mktemp("presets") / "whole"
    for name in WHOLE:
        shutil.copytree(ROOT / name, folder / name)
    for name in ("Snakefile", "config.yaml"):
        shutil.copy2(ROOT / name, folder)
    return TinyWorkflow(folder)


@pytest.mark.parametrize(
    ("paper", "preset", "trained"),
    [
        ("sentence_vae", "novels", "autoencoder 1"),
        ("sentence_vae", "ptb", "vae_inputless 2"),
        ("persona_wae", "dialogwae_dailydialog", "dialogwae 1"),
        ("persona_wae", "published", "rl_persona 1"),
        ("keywords_and_instances", "published", "t5_claps 1"),
        ("keywords_and_instances", "chinese", "group_wise 2"),
    ],
)
def test_a_preset_is_planned_without_its_corpora(whole, paper, preset, trained):
    planned = whole.planned("all", "--config", f"paper={paper}", f"preset={preset}")
    assert f"train_model {trained}" in planned
    assert {"download_corpus", "extract_examples"} <= {job.split()[0] for job in planned}


def test_a_strangers_csv_with_speakers_is_planned_from_one_entry_with_every_system_and_no_row_of_known_users(whole):
    source = {"reader": "table", "label": "Mine", "licence": "own", "mirror": ".", "bundles": [[{"name": "mine.csv"}]]}
    columns = {"dialogue": "scene", "turn": "n", "text": "what", "speaker": "who"}
    preset = {
        "extends": "southpark",
        "results": "results/mine",
        "ratings": {"folder": "ratings/mine"},
        "corpora": ["mine"],
        "sources": {"mine": source | {"columns": columns, "splits": {"validation": 0.1, "test": 0.1}}},
    }
    (whole.folder / "papers/persona_wae/mine.yaml").write_text(yaml.safe_dump(preset))
    planned = whole.planned("results/mine/tables/table2.csv", "--config", "paper=persona_wae", "preset=mine")
    trained = {job.split()[1] for job in planned if job.startswith("train_model")}
    assert trained == {"seq2seq", "persona", "adaptation", "rl_persona", "cvae", "diawae_gmd", "persona_wae"}
    baselines = {job.split()[1] for job in planned if job.startswith("generate_baseline")}
    assert baselines == {"human", "random", "constant"}
    assert not any(job.startswith("generate_exact") for job in planned)


def test_an_analysis_of_a_system_with_a_decoding_of_its_own_plans_no_second_training(whole):
    planned = whole.planned("results/analyses/embedded/cvae_closest/seed1/latents.parquet")
    assert "analyse_system cvae_closest 1 latents" in planned
    assert {job for job in planned if job.startswith("train_model")} == {"train_model cvae 1"}


@pytest.mark.parametrize(
    ("target", "fragments"),
    [
        ("tables/floors.csv", ["the row 'truth' needs a known distribution", "of 'ptb' is not known"]),
        (
            "analyses/ptb/rnnlm/seed1/bound.parquet",
            ["rnnlm is a RNNLM, which an analysis of kind 'likelihoods' cannot read", "the class SentenceVAE"],
        ),
    ],
)
def test_what_a_preset_can_only_make_of_another_corpus_or_system_is_refused_when_planned(whole, target, fragments):
    target = f"results/sentence_vae_ptb/{target}"
    done = whole.run(target, "--dry-run", "--config", "paper=sentence_vae", "preset=ptb")
    assert done.returncode != 0
    assert all(fragment in done.stdout for fragment in fragments), done.stdout
