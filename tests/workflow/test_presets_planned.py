"""Presets of sizes and corpora that no test can run are planned whole: every rule finds what it needs."""

import shutil

import pytest
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


def test_an_analysis_of_a_system_with_a_decoding_of_its_own_plans_no_second_training(whole):
    planned = whole.planned("results/analyses/embedded/cvae_closest/seed1/latents.parquet")
    assert "analyse_system cvae_closest 1 latents" in planned
    assert {job for job in planned if job.startswith("train_model")} == {"train_model cvae 1"}
