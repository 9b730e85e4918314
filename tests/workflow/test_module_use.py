"""Another workflow uses this one as a module: its own rules feed ours and go on from ours."""

from pathlib import Path

import pytest
import yaml
from tiny_workflow import ROOT, TinyWorkflow

OUTER = """
configfile: "{home}/config.yaml"
configfile: "config.yaml"


module bench:
    snakefile:
        "{home}/Snakefile"
    config:
        config


use rule * from bench as bench_*


rule all:
    default_target: True
    input:
        "results/dialogues.txt",


rule count_dialogues:
    input:
        "results/bench/dialogues/embedded/dialogues.parquet",
    output:
        "results/dialogues.txt",
    shell:
        "wc -c < {{input}} > {{output}}"


rule ask_language_model:
    input:
        "results/bench/filtered/embedded/{{split}}.parquet",
    output:
        "results/answers/{{split}}.jsonl",
    shell:
        "false"
"""
CHANGES = {
    "results": "results/bench",
    "systems": {"llm": {"label": "LLM", "responses": "results/answers/{split}.jsonl"}},
}


@pytest.fixture
def outer(finished: TinyWorkflow, tmp_path: Path) -> TinyWorkflow:
    """A workflow in a folder of its own, without scripts or rules of ours; ours lies elsewhere."""
    (tmp_path / "Snakefile").write_text(OUTER.format(home=finished.folder))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CHANGES))
    return TinyWorkflow(tmp_path)


def test_the_outer_workflows_rules_and_ours_make_one_plan(outer):
    jobs = outer.planned("results/bench/tables/table2.csv", library=ROOT / "src")
    assert {"ask_language_model validation", "bench_read_external_responses llm 1 validation"} <= jobs
    assert {"bench_train_model seq2seq 1", "bench_make_score_table table2"} <= jobs
    assert "count_dialogues" not in jobs


def test_a_stage_of_ours_runs_in_the_outer_workflows_folder(outer, finished):
    before = finished.checksums()
    done = outer.run(library=ROOT / "src")
    assert done.returncode == 0, done.stdout
    made = outer.folder / "results/bench/dialogues/embedded/dialogues.parquet"
    assert int((outer.folder / "results/dialogues.txt").read_text()) == made.stat().st_size
    assert made.read_bytes() == (finished.results / "dialogues/embedded/dialogues.parquet").read_bytes()
    assert finished.checksums() == before  # nothing is written where ours lies


def test_the_outer_configuration_is_checked_as_ours_is(outer):
    done = outer.run("--dry-run", changes={"trainning": {"epochs": 1}}, library=ROOT / "src")
    assert done.returncode != 0
    assert "unknown key 'trainning'" in done.stdout
    assert "did you mean 'training'?" in done.stdout


def test_the_outer_configuration_chooses_the_paper_and_the_preset(outer):
    done = outer.run("--dry-run", changes={"preset": "smal"}, library=ROOT / "src")
    assert done.returncode != 0
    assert "no preset 'smal' of paper 'sepacvae'" in done.stdout
    options = {"systems": ["seq2seq"]}  # of those that the tiny paper is left with
    changes = {"preset": "sweep", "results": "results/sweep", "analyses": {"one_to_many": {"options": options}}}
    jobs = outer.planned("results/sweep/figures/sweep.svg", changes=changes, library=ROOT / "src")
    assert "bench_plot_sweep sweep" in jobs
