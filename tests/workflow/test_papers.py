"""A paper is a folder: one that is copied and cut down makes its table, and every command finds it."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tiny_workflow import ROOT, TinyWorkflow

from pipeline_lib.files.formats import read_parquet

SYSTEMS = ("human", "seq2seq")
TABLE = "results/fifth/tables/table2.csv"


def add_paper(workflow: TinyWorkflow) -> None:
    """Copy a paper, and leave two systems and one table of it, as papers/README.md says."""
    folder = workflow.folder / "papers/fifth"
    shutil.copytree(workflow.folder / "papers/sepacvae", folder, ignore=shutil.ignore_patterns("*.md", "figures"))
    for preset in folder.glob("*.yaml"):
        if preset.name not in ("paper.yaml", "small.yaml"):
            preset.unlink()
    declared = yaml.safe_load((folder / "paper.yaml").read_text())
    declared |= {"title": "A fifth paper", "citation": "Nobody (2030)", "figures": {}, "analyses": {}, "report": {}}
    declared["systems"] = {name: declared["systems"][name] for name in SYSTEMS}
    declared["tables"] = {"table2": declared["tables"]["table2"] | {"title": "One table"}}
    (folder / "paper.yaml").write_text(yaml.safe_dump(declared, sort_keys=False))
    workflow.change("papers/fifth/small.yaml", {"results": "results/fifth"})
    (folder / "published.csv").write_text(
        "table,dataset,split,system,column,value,sd\n2,Embedded,validation,Seq2Seq,length,7.5,0.2\n"
    )


@pytest.fixture(scope="module")
def fifth(tmp_path_factory) -> TinyWorkflow:
    """The tiny workflow with a fifth paper, whose table was made."""
    workflow = TinyWorkflow.create(tmp_path_factory.mktemp("papers") / "tiny")
    add_paper(workflow)
    shutil.rmtree(workflow.folder / "papers/all_on_dailydialog")  # it takes systems that the tiny workflow leaves out
    for name in ("Makefile", "requirements.lock", "requirements-pretrained.lock", "pyproject.toml"):
        shutil.copy2(ROOT / name, workflow.folder)
    (workflow.folder / ".venv").mkdir()
    for done in ("packages", "ready", "pretrained"):
        (workflow.folder / ".venv" / done).touch()  # newer than the lock file: nothing is installed
    done = workflow.run("--config", "paper=fifth", "--", TABLE)
    assert done.returncode == 0, done.stdout
    return workflow


def called(workflow: TinyWorkflow, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=workflow.folder,
        env=workflow.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )


def make(workflow: TinyWorkflow, *arguments: str) -> subprocess.CompletedProcess[str]:
    return called(workflow, "make", f"BIN={Path(sys.executable).parent}", "CORES=2", *arguments)


def test_the_copied_paper_makes_its_table_below_its_own_folder_and_trains_its_systems_alone(fifth):
    with open(fifth.folder / TABLE, newline="", encoding="utf-8") as file:
        rows = {row["label"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["Human reference", "Seq2Seq", "True distribution"]
    assert float(rows["Seq2Seq"]["length published"]) == 7.5  # of its own published.csv
    trained = {path.parent.parent.name for path in fifth.results.rglob("model.safetensors")}
    assert trained == {"seq2seq"}
    assert {path.name for path in fifth.results.iterdir() if path.is_dir()} <= {"fifth", "logs"}


def test_metrics_use_the_further_references_that_someone_brings(fifth):
    examples = read_parquet(fifth.results / "fifth/examples/embedded/validation.parquet")
    kept = read_parquet(fifth.results / "fifth/filtered/embedded/validation.parquet")
    answers = read_parquet(fifth.results / "fifth/responses/embedded/seq2seq/seed1/validation.parquet")
    rows = zip(kept["context"].to_pylist(), answers["response"].to_pylist(), strict=True)
    lines = [json.dumps({"context": context, "reference": text}) for context, text in rows if len(text.split()) > 1]
    assert 0 < len(lines) < len(examples)
    (fifth.folder / "more.jsonl").write_text("\n".join(lines), encoding="utf-8")
    changes = {"results": "several", "sources": {"embedded": {"references": {"validation": "more.jsonl"}}}}
    scores = "several/scores/embedded/seq2seq/seed1/validation.parquet"
    shutil.copytree(fifth.results / "fifth", fifth.folder / "several")
    done = fifth.run("--config", "paper=fifth", "--", scores, changes=changes)
    assert done.returncode == 0, done.stdout
    found = {row["metric"]: row for row in read_parquet(fifth.folder / scores).to_pylist()}
    assert found["BLEU-1"]["signature"].endswith("|references:several")
    assert found["BLEU-1"]["value"] > 0.8  # what the system said is a reference now
    assert not found["distinct-1"]["signature"].endswith("|references:several")


def test_make_prints_the_table_of_the_paper_that_is_named(fifth):
    done = make(fifth, "table2", "PAPER=fifth")
    assert done.returncode == 0, done.stdout
    assert "One table" in done.stdout
    assert "| Seq2Seq" in done.stdout
    assert TABLE in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tabel2"], "no table or figure 'tabel2'"),
        (["table3", "PAPER=fifth"], "did you mean 'table2'?"),
        (["table2", "PAPER=sixth"], "no paper 'sixth'"),
        (["table2", "PAPER=fifth", "PRESET=large"], "no preset 'large' of paper 'fifth'"),
        (["fifth"], "make table2 PAPER=fifth"),
    ],
)
def test_make_names_the_nearest_to_what_there_is_not(fifth, words, message):
    done = make(fifth, *words)
    assert done.returncode != 0
    assert message in done.stdout


def test_all_papers_are_made_in_turn(fifth):
    done = make(fifth, "--dry-run", "papers")
    papers = sorted(path.parent.name for path in fifth.folder.glob("papers/*/paper.yaml"))
    assert {"fifth", "sepacvae"} <= set(papers)
    assert re.findall(r"--config paper=(\w+) +-- all", done.stdout) == papers


def test_a_table_of_the_other_paper_is_an_error_with_the_command_that_makes_it(fifth):
    done = fifth.run("--dry-run", TABLE)
    assert done.returncode != 0
    assert f"{TABLE} is made by the preset 'small' of the paper 'fifth'" in done.stdout
    [command] = re.findall(r"remedy: +(snakemake .*)", done.stdout)
    assert command == f"snakemake --cores 8 --config paper=fifth -- {TABLE}"
    words = command.split()[1:]
    assert "Nothing to be done" in called(fifth, sys.executable, "-m", "snakemake", *words).stdout


def test_the_list_shows_papers_presets_tables_and_systems_with_commands_that_are_right(fifth):
    done = called(fifth, sys.executable, "-X", "importtime", "-m", "pipeline_lib", "list")
    assert done.returncode == 0, done.stdout
    for heavy in ("torch", "snakemake", "numpy", "pyarrow"):  # it answers at once
        assert not re.search(rf"\| +{heavy}$", done.stdout, re.MULTILINE)
    shown = called(fifth, sys.executable, "-m", "pipeline_lib", "list").stdout
    assert re.search(r"^sepacvae: Generating Relevant", shown, re.MULTILINE)
    assert re.search(r"^fifth: A fifth paper", shown, re.MULTILINE)
    assert re.search(r"dailydialog +make table2 PRESET=dailydialog MIRROR=<folder> +results/dailydialog", shown)
    assert re.search(r"ptb +make table2 PAPER=sentence_vae PRESET=ptb MIRROR=<folder> ", shown)  # it has no address
    assert re.search(r"ablations +make ablations PRESET=ablations MIRROR=<folder> ", shown)  # nor have its vectors
    assert re.search(r"table2 +Table 2 +One table +make table2 PAPER=fifth", shown)
    assert re.search(r"human +Human reference +baseline: human", shown)
    commands = re.findall(r"(snakemake --cores 8 .*)$", shown, re.MULTILINE)
    own = [command for command in commands if not re.search("sentence_vae|persona_wae|keywords_and_instances", command)]
    assert len(own) == 4
    for command in own:
        done = called(fifth, sys.executable, "-m", "snakemake", "--dry-run", *command.split()[1:])
        assert done.returncode == 0, (command, done.stdout)


def test_one_paper_may_be_listed_alone_and_an_unknown_one_is_named(fifth):
    shown = called(fifth, sys.executable, "-m", "pipeline_lib", "list", "fifth").stdout
    assert "A fifth paper" in shown
    assert "sepacvae:" not in shown
    done = called(fifth, sys.executable, "-m", "pipeline_lib", "list", "fith")
    assert done.returncode == 1
    assert "did you mean 'fifth'?" in done.stdout


@pytest.mark.parametrize("words", [[], ["lst"], ["--help"]])
def test_without_a_command_the_commands_are_shown(fifth, words):
    done = called(fifth, sys.executable, "-m", "pipeline_lib", *words)
    assert (done.returncode == 0) == (words == ["--help"])
    assert all(f"  {name}" in done.stdout for name in ("list", "compare", "verify", "reference"))
    assert os.linesep.join(["", "Each tells more with --help."]) in done.stdout
